package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/seed06907907/fatty/cmd/internal/cli"
	"github.com/seed06907907/fatty/node/home"
)

// maxLinks bounds the symbolic links that lead to an output.
const maxLinks = 40

// output is where a result goes.
type output struct {
	path   string
	direct bool // no regular file, such as a device or a pipe: it is written to, and never replaced
}

// openOutput checks the place that a flag names before the work begins, as a proof takes longer to make than to write. A
// symbolic link stays: what it leads to is written.
func openOutput(flag, path string) (output, error) {
	if path == "-" {
		return output{}, cli.Usagef("--%s -: standard output is for what is said of the result; name a file", flag)
	}
	cannot := func(err error) error {
		var at *fs.PathError
		if errors.As(err, &at) {
			err = at.Err // the path has been named, and may be a temporary file's
		}
		return codedf("write", "--%s %s cannot be written: %w", flag, path, err)
	}
	target, err := follow(path)
	if err != nil {
		return output{}, cannot(err)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return output{}, cannot(err)
	case info.IsDir():
		return output{}, codedf("write", "--%s %s is a folder: name a file in it", flag, path)
	case info.Mode()&fs.ModeSocket != 0:
		return output{}, codedf("write", "--%s %s is a socket: name a file", flag, path)
	case info.Mode()&fs.ModeDevice != 0:
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return output{}, cannot(err)
		}
		return output{path, true}, f.Close()
	case !info.Mode().IsRegular(): // a pipe is opened when there is something to read
		return output{path, true}, nil
	}
	probe, err := home.CreateBeside(target)
	if err != nil {
		return output{}, cannot(err)
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return output{}, cannot(err)
	}
	return output{path: target}, nil
}

// follow returns what a path's symbolic links lead to, be it there or not.
func follow(path string) (string, error) {
	for range maxLinks {
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode()&fs.ModeSymlink == 0 {
			return path, nil
		}
		if err != nil {
			return "", err
		}
		to, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(to) {
			to = filepath.Dir(path) + string(filepath.Separator) + to // not cleaned: x/.. is not here where x is a link
		}
		path = to
	}
	return "", fmt.Errorf("more than %d symbolic links lead to it", maxLinks)
}

// write writes a regular file whole or not at all. Nobody may read a pipe, so that writing it ends with ctx.
func (o output) write(ctx context.Context, write func(io.Writer) error) error {
	if !o.direct {
		if err := home.Replace(o.path, 0o644, write); err != nil {
			return coded{"write", err}
		}
		return nil
	}
	done := make(chan error, 1)
	go func() {
		f, err := os.OpenFile(o.path, os.O_WRONLY, 0)
		if err == nil {
			err = errors.Join(write(f), f.Close())
		}
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			return codedf("write", "write %s: %w", o.path, err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

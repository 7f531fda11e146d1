package home

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The names inside a home.
const (
	fileConfig  = "config.toml"
	fileGenesis = "genesis.json"
	fileAPI     = "api"
	fileToken   = "token"
	fileLock    = "lock"
)

// maxTempName bounds what a temporary file's name takes from the file's own, so that it fits where that does.
const maxTempName = 64

// ErrLocked is returned when another process uses the home.
var ErrLocked = errors.New("the home is in use by another process: stop it, or name another home with --home")

// Home is the folder. The zero value is not usable; Open or At make one.
type Home struct {
	Dir  string
	lock *os.File
}

// Dir returns flag if it is set, else $FATTY_HOME, else ~/.fatty.
func Dir(flag string) (string, error) {
	if flag != "" {
		return filepath.Abs(flag)
	}
	if e := os.Getenv("FATTY_HOME"); e != "" {
		return filepath.Abs(e)
	}
	u, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("home: %w: set FATTY_HOME", err)
	}
	return filepath.Join(u, ".fatty"), nil
}

// At names a home without locking it, for tools that only read it.
func At(dir string) *Home { return &Home{Dir: dir} }

// Open makes the folder if it is missing and locks it until Close or the end of the process.
func Open(dir string) (*Home, error) {
	h := At(dir)
	for _, d := range []string{dir, h.Path("keys"), h.Path("data")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("home: %w", err)
		}
	}
	f, err := os.OpenFile(h.Path(fileLock), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("home: %w", err)
	}
	if err := lockFile(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("home %s: %w", dir, err)
	}
	h.lock = f
	return h, nil
}

// Close unlocks the home. The lock file stays: removing it would race with the next that opens it.
func (h *Home) Close() error {
	if h.lock == nil {
		return nil
	}
	f := h.lock
	h.lock = nil
	return f.Close()
}

// Path joins names to the folder.
func (h *Home) Path(names ...string) string {
	return filepath.Join(append([]string{h.Dir}, names...)...)
}

// HostKey, ValidatorKey and ClientKey are the keys' files.
func (h *Home) HostKey() string      { return h.Path("keys", "host.key") }
func (h *Home) ValidatorKey() string { return h.Path("keys", "validator.key") }
func (h *Home) ClientKey() string    { return h.Path("keys", "client.key") }

// Config reads config.toml.
func (h *Home) Config() (Config, error) { return ReadConfig(h.Path(fileConfig)) }

// WriteConfig writes a commented config.toml unless there is one.
func (h *Home) WriteConfig(c Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if _, err := os.Stat(h.Path(fileConfig)); err == nil {
		return nil
	}
	return WriteAtomic(h.Path(fileConfig), []byte(c.Text()), 0o600)
}

// Genesis reads and checks genesis.json.
func (h *Home) Genesis() (*Genesis, error) {
	b, err := os.ReadFile(h.Path(fileGenesis))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("home %s has no genesis.json: run `fattyd init --chain GENESIS.json`", h.Dir)
	}
	if err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	return ParseGenesis(b)
}

// WriteGenesis writes genesis.json; another chain's is never replaced.
func (h *Home) WriteGenesis(g *Genesis) error {
	b, err := g.Encode()
	if err != nil {
		return err
	}
	if old, err := h.Genesis(); err == nil && old.ChainID() != g.ChainID() {
		return fmt.Errorf("home %s belongs to chain %s, not %s: take another home for the other chain", h.Dir, old.ChainID(), g.ChainID())
	}
	return WriteAtomic(h.Path(fileGenesis), b, 0o644)
}

// WriteAPI tells local tools where JSON-RPC listens; an empty address removes the file.
func (h *Home) WriteAPI(addr string) error {
	if addr == "" {
		err := os.Remove(h.Path(fileAPI))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return WriteAtomic(h.Path(fileAPI), []byte(addr+"\n"), 0o644)
}

// API reads the addresses of JSON-RPC, one a line.
func (h *Home) API() ([]string, error) {
	b, err := os.ReadFile(h.Path(fileAPI))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("home %s has no file api: start a node there, or name one with --node http://HOST:PORT", h.Dir)
	}
	if err != nil {
		return nil, err
	}
	return strings.Fields(string(b)), nil
}

// Token reads the bearer token of admin calls and makes one if there is none.
func (h *Home) Token() (string, error) {
	b, err := os.ReadFile(h.Path(fileToken))
	if err == nil {
		if t := strings.TrimSpace(string(b)); len(t) >= 32 {
			return t, nil
		}
		return "", fmt.Errorf("%s is shorter than 32 characters: remove it and a new one is made", h.Path(fileToken))
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	t := hex.EncodeToString(raw)
	return t, WriteAtomic(h.Path(fileToken), []byte(t+"\n"), 0o600)
}

// WriteAtomic writes a file whole or not at all: a new file, synced, renamed over the old one. It makes missing folders.
func WriteAtomic(path string, b []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return Replace(path, mode, func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	})
}

// Replace is WriteAtomic of what a function writes, into a folder that is there.
func Replace(path string, mode os.FileMode, write func(io.Writer) error) error {
	f, err := CreateBeside(path)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// CreateBeside makes a temporary file in a file's folder, with a name that fits wherever the file's does.
func CreateBeside(path string) (*os.File, error) {
	name := filepath.Base(path)
	return os.CreateTemp(filepath.Dir(path), "."+strings.ToValidUTF8(name[:min(len(name), maxTempName)], "")+".*")
}

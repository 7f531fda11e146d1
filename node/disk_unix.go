//go:build unix

package node

import "golang.org/x/sys/unix"

// FreeBytes returns the bytes that an unprivileged process may still write to a folder's file system.
func FreeBytes(dir string) (uint64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return 0, err
	}
	return uint64(s.Bavail) * uint64(s.Bsize), nil
}

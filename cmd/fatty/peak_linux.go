package main

import "golang.org/x/sys/unix"

// peakBytes is the most memory that this process has had; Linux counts it in KiB.
func peakBytes() uint64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return uint64(u.Maxrss) << 10
}

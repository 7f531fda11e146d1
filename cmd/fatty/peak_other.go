//go:build !linux

package main

import "runtime"

// peakBytes is what the Go runtime has taken of the system and seldom gives back, close above the most it needed.
func peakBytes() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys
}

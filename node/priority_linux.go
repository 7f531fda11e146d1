package node

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// lowerPriority binds the goroutine to its thread and gives that thread nice 10; on Linux priorities are threads' own.
func lowerPriority() {
	runtime.LockOSThread()
	_ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), 10) // without it proofs are only less polite
}

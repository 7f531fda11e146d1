package main

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// dieWithParent has the kernel kill the child when the thread that started it ends, and so when this process does,
// however it does.
func dieWithParent(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// beNice lowers this process's priority, so that agreement on the same host goes first. On Linux a priority is a thread's
// own, and a new thread has that of the one that made it: all are lowered, those too that came meanwhile.
func beNice(by int) {
	done := map[string]bool{}
	for more := true; more; {
		more = false
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return // only less polite
		}
		for _, t := range tasks {
			if id, err := strconv.Atoi(t.Name()); err == nil && !done[t.Name()] {
				done[t.Name()], more = true, true
				_ = unix.Setpriority(unix.PRIO_PROCESS, id, by)
			}
		}
	}
}

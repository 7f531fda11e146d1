package main

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// dieWithParent has the kernel kill the child when the thread that started it ends, and so when this process does,
// however it does.
func dieWithParent(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// beNice lowers this process's priority, so that agreement on the same host goes first.
func beNice(by int) { _ = unix.Setpriority(unix.PRIO_PROCESS, os.Getpid(), by) } // only less polite without it

//go:build unix && !linux

package main

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// dieWithParent keeps a terminal's interrupt from the child, which its parent stops; that the parent ended it sees by its
// standard input.
func dieWithParent(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// beNice lowers this process's priority, so that agreement on the same host goes first.
func beNice(by int) { _ = unix.Setpriority(unix.PRIO_PROCESS, os.Getpid(), by) } // only less polite without it

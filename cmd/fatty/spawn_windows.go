package main

import (
	"os/exec"

	"golang.org/x/sys/windows"
)

// dieWithParent gives the child a console group of its own; that its parent ended it sees by its standard input.
func dieWithParent(c *exec.Cmd) {
	c.SysProcAttr = &windows.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
}

// beNice lowers this process's priority, so that agreement on the same host goes first.
func beNice(int) {
	_ = windows.SetPriorityClass(windows.CurrentProcess(), windows.BELOW_NORMAL_PRIORITY_CLASS) // only less polite without it
}

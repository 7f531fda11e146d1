package e2e

import (
	"os/exec"
	"syscall"
)

// tie has the kernel kill the child when this process ends, however it does.
func tie(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

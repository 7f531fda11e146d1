//go:build !windows

package e2e

import "syscall"

var interrupt = syscall.SIGTERM

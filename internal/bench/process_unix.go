//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// together has the process end with its children: PyTorch's compiler has many.
func together(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// Package smi asks the NVIDIA driver's own tool, nvidia-smi.
package smi

import (
	"context"
	"os/exec"
	"strings"
)

// Ask returns what the tool says of a card, by its number or its UUID, as in "name,memory.total", without units; "" where
// there is no such card or no tool.
func Ask(ctx context.Context, card, what string) string {
	out, err := exec.CommandContext(ctx, "nvidia-smi", "--query-gpu="+what, "--format=csv,noheader,nounits", "--id="+card).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
)

//go:embed update.py
var updatePy string

// compare measures the same update in PyTorch.
func (s settings) compare(ctx context.Context, r *Report) error {
	cmd := exec.CommandContext(ctx, s.torch, "-c", updatePy, s.generator, s.verifier, strconv.Itoa(s.side), strconv.Itoa(s.updates))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, &r.Torch); err != nil {
		return fmt.Errorf("%w in %.200q", err, out)
	}
	return nil
}

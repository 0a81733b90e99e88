package main

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/dualprocess/dualprocess-go/backends"
)

// requirements are the packages of PyTorch's side.
//
//go:embed requirements.txt
var requirements []byte

// pythonEnv names the environment variable with a Python that has the packages.
const pythonEnv = "DUALPROCESS_PYTHON"

// python returns a Python with the packages; it installs them into the user's cache folder where they are not there. A
// new list of packages is a new environment, not a repaired one.
func python(ctx context.Context, say func(format string, args ...any)) (string, error) {
	if named := os.Getenv(pythonEnv); named != "" {
		return named, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no place for PyTorch: %w", err)
	}
	folder := filepath.Join(cache, "dualprocess-go", fmt.Sprintf("torch-%.6x", sha256.Sum256(requirements)))
	program := filepath.Join(folder, "bin", "python")
	if runtime.GOOS == "windows" {
		program = filepath.Join(folder, "Scripts", "python.exe")
	}
	complete := filepath.Join(folder, "complete")
	if _, err := os.Stat(complete); err == nil {
		return program, nil
	}
	if forbidden, err := strconv.ParseBool(os.Getenv(backends.NoDownloadEnv)); forbidden || err != nil && os.Getenv(backends.NoDownloadEnv) != "" {
		return "", fmt.Errorf("%s forbids to install PyTorch: -ours measures without it, and %s names a Python that has it", backends.NoDownloadEnv, pythonEnv)
	}
	say("PyTorch is installed into %s, gigabytes, once", folder)
	if err := install(ctx, folder, program); err != nil {
		return "", errors.Join(fmt.Errorf("PyTorch cannot be installed: %w; -ours measures without it", err), os.RemoveAll(folder))
	}
	return program, os.WriteFile(complete, nil, 0o644)
}

// install makes a virtual environment anew, with the packages.
func install(ctx context.Context, folder, program string) error {
	base, err := exec.LookPath("python3")
	if err != nil {
		return fmt.Errorf("%w: install Python 3.10 or newer, or name one with the packages in %s", err, pythonEnv)
	}
	if err := os.RemoveAll(folder); err != nil { // what an installation that was stopped has left
		return err
	}
	if err := tell(ctx, base, "-m", "venv", folder); err != nil {
		return err
	}
	list := filepath.Join(folder, "requirements.txt")
	if err := os.WriteFile(list, requirements, 0o644); err != nil {
		return err
	}
	return tell(ctx, program, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-cache-dir", "--only-binary", ":all:", "-r", list)
}

// tell runs a program. Its error has what the program said last.
func tell(ctx context.Context, program string, args ...string) error {
	cmd, log := exec.CommandContext(ctx, program, args...), &tail{}
	cmd.Stdout, cmd.Stderr = log, log
	together(cmd)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%s: %w: %s", cmd, err, log)
	}
	return nil
}

// Write writes a checkpoint of published sizes with random weights to a folder, for what cannot read package lifesize's
// file system, such as a program in Python:
//
//	go run ./internal/lifesize/write -to /tmp/sd stable-diffusion-v1-4
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/dualprocess/dualprocess-go/internal/lifesize"
	"github.com/dualprocess/dualprocess-go/internal/lifesize/published"
)

func main() {
	fixtures := flag.String("fixtures", filepath.FromSlash("internal/golden/testdata"), "folder of the small checkpoints whose configurations and tokenizers are taken")
	to := flag.String("to", "", "folder to write to")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "write -to FOLDER MODEL, where MODEL is one of %s\n", strings.Join(published.Names(), ", "))
		flag.PrintDefaults()
	}
	flag.Parse()
	if *to == "" || flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := write(context.Background(), flag.Arg(0), *fixtures, *to); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(ctx context.Context, name, fixtures, to string) error {
	model, err := published.Model(name, os.DirFS(fixtures))
	if err != nil {
		return err
	}
	files, err := model.Files(ctx)
	if err != nil {
		return err
	}
	return lifesize.Write(ctx, files, to)
}

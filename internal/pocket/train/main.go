// Command train trains the pocket models from a seed and writes their weights
// into the folders that the library embeds. It may be stopped at any time and
// goes on where it stood:
//
//	go run ./internal/pocket/train -state DIR
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/pocket/training"
)

// stages in their order; each needs the ones before it, but for the verifier's
// first phase.
var stages = []struct {
	name  string
	train func(context.Context, *backends.Runtime, training.Options) error
}{
	{"autoencoder", training.Autoencoder},
	{"decoder", training.Decoder},
	{"generator", training.Generator},
	{"verifier", training.Verifier},
	{"generator-again", training.GeneratorAgain},
	{"verifier-again", training.VerifierAgain},
}

func main() {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	state := flag.String("state", filepath.Join(cache, "dualprocess", "pocket"), "folder that keeps the state between runs")
	stage := flag.String("stage", "all", "autoencoder, decoder, generator, verifier, generator-again, verifier-again, export, or all in this order")
	steps := flag.Int("steps", 0, "steps of every stage, for a trial (0: as planned)")
	root := flag.String("root", ".", "folder of the module, for the export")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := training.Options{Dir: *state, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)), Steps: *steps}
	if err := run(ctx, o, *stage, *root); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o training.Options, stage, root string) error {
	if stage == "export" {
		return training.Export(o, root)
	}
	known := stage == "all"
	for _, s := range stages {
		if stage != "all" && stage != s.name {
			continue
		}
		known = true
		// A runtime for each stage: the stages share no variable but through their files.
		rt, err := backends.Open(ctx, backends.Options{Logger: o.Logger})
		if err != nil {
			return err
		}
		err = s.train(ctx, rt, o)
		if closing := rt.Close(); err == nil {
			err = closing
		}
		if err != nil {
			return err
		}
	}
	if !known {
		return fmt.Errorf("unknown stage %q", stage)
	}
	if stage == "all" {
		return training.Export(o, root)
	}
	return nil
}

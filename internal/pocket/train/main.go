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
	"github.com/dualprocess/dualprocess-go/internal/pocket"
)

func main() {
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	state := flag.String("state", filepath.Join(cache, "dualprocess", "pocket"), "folder that keeps the state between runs")
	stage := flag.String("stage", "all", "autoencoder, generator, verifier or all")
	steps := flag.Int("steps", 0, "steps of every stage, for a trial (0: as planned)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *state, *stage, *steps); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, state, stage string, steps int) error {
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	rt, err := backends.Open(ctx, backends.Options{Logger: logger})
	if err != nil {
		return err
	}
	defer rt.Close()
	o := pocket.Options{Dir: state, Logger: logger, Steps: steps}
	switch stage {
	case "autoencoder":
		return pocket.TrainAutoencoder(ctx, rt, o)
	case "generator":
		return pocket.TrainGenerator(ctx, rt, o)
	case "verifier":
		return pocket.TrainVerifier(ctx, rt, o)
	}
	return fmt.Errorf("unknown stage %q", stage)
}

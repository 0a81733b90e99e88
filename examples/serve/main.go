// Serve is a service: whoever sends a prompt, a question, the wanted answer and
// perhaps a sketch gets an adapter, sees pictures while it is trained, and has
// pictures made with it afterwards.
//
//	go run ./examples/serve
//	curl -F prompt="a sea at night" -F question="Does the horizon lie on the red line?" -F answer=Yes \
//	    -F sketch=@line.png localhost:8080/jobs
//	curl -N localhost:8080/jobs/ID/events
//	curl -O localhost:8080/jobs/ID/adapter
//	curl -o picture.png "localhost:8080/jobs/ID/picture?prompt=a+meadow+by+day&seed=7"
//
// ^C ends it with a checkpoint; started again with the same -out, it goes on where
// it was. Models are the embedded ones unless folders or repositories are given.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/generator"
	gpocket "github.com/dualprocess/dualprocess-go/generator/pocket"
	"github.com/dualprocess/dualprocess-go/hub"
	"github.com/dualprocess/dualprocess-go/lora"
	"github.com/dualprocess/dualprocess-go/verifier"
	vpocket "github.com/dualprocess/dualprocess-go/verifier/pocket"
)

// settings are the command line's.
type settings struct {
	address, out, backend string
	generator, verifier   string // folders; both empty = the embedded models
	limits                limits
}

// limits of what strangers may ask for.
type limits struct {
	body    int64         // bytes of a request
	waiting int           // jobs in the queue
	job     time.Duration // of a training
}

func main() {
	s := settings{limits: limits{body: 8 << 20, waiting: 16}}
	flag.StringVar(&s.address, "address", "localhost:8080", "to listen on")
	flag.StringVar(&s.out, "out", filepath.Join("out", "serve"), "`folder` of the jobs, their checkpoints and adapters")
	flag.StringVar(&s.backend, "backend", "", "xla:cuda, xla:cpu or go; the fastest unless given")
	flag.StringVar(&s.generator, "generator", "", "`folder` of a generator")
	flag.StringVar(&s.verifier, "verifier", "", "`folder` of a vision-language model")
	flag.DurationVar(&s.limits.job, "limit", time.Hour, "longest training")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := serve(ctx, s, slog.New(slog.NewTextHandler(os.Stderr, nil))); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

// serve serves until the context ends; then it finishes the requests under way, and
// leaves a checkpoint of the training.
func serve(ctx context.Context, s settings, logger *slog.Logger) error {
	rt, err := backends.Open(ctx, backends.Options{Backend: s.backend, Logger: logger})
	if err != nil {
		return err
	}
	defer rt.Close()
	basis, err := s.basis(ctx, rt, hub.Options{Logger: logger, Progress: reporter(logger)})
	if err != nil {
		return err
	}
	studio, err := newStudio(basis, s.out, s.limits, logger)
	if err != nil {
		return err
	}
	defer studio.sampler.Close()
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		return err
	}
	logger.Info("serving", "address", "http://"+listener.Addr().String(), "backend", rt.Name)
	return studio.open(ctx, listener)
}

// open trains and answers until the context ends.
func (s *studio) open(ctx context.Context, listener net.Listener) error {
	trained := make(chan struct{})
	go func() {
		defer close(trained)
		s.train(ctx)
	}()
	server := &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx }, // ends the streams of events
	}
	context.AfterFunc(ctx, func() {
		finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		_ = server.Shutdown(finish) // what has not finished by then is cut off
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-trained
	return nil
}

// reporter logs how far a download is, every ten seconds.
func reporter(logger *slog.Logger) func(hub.Progress) {
	var last time.Time
	return func(p hub.Progress) {
		if now := time.Now(); now.Sub(last) >= 10*time.Second {
			last = now
			logger.Info("downloading", "file", p.File, "state", p)
		}
	}
}

// basis is the task that all jobs have in common.
func (s settings) basis(ctx context.Context, rt *backends.Runtime, h hub.Options) (t dualprocess.Task, err error) {
	t.Runtime = rt
	if s.generator == "" && s.verifier == "" {
		if t.Generator, err = gpocket.Open(ctx, rt, gpocket.Options{}); err != nil {
			return t, err
		}
		t.Verifier, err = vpocket.Open(ctx, rt, vpocket.Options{})
		t.Adapter, t.Weight = lora.Config{Rank: 8, Init: lora.FanIn}, 1
		t.LearningRate, t.Beta2, t.Drift = 3e-3, 0.99, 0.1
		t.Updates, t.Batch, t.EndStep = 100, 10, 6
		t.WarmUp, t.Decay, t.DecayTo = 10, 40, 0.1
		return t, err
	}
	if t.Generator, err = generator.Open(ctx, rt, s.generator, generator.Options{Hub: h}); err != nil {
		return t, err
	}
	t.Verifier, err = verifier.Open(ctx, rt, s.verifier, verifier.Options{Hub: h})
	return t, err
}

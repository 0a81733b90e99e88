package hub

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"time"
)

const (
	maxPause = 30 * time.Second // between two tries
	maxAfter = 5 * time.Minute  // that a server may ask for
)

// retry calls f until it succeeds, fails for good, or fails too often in a row without
// getting on.
func (s *settings) retry(ctx context.Context, f func() (got bool, err error)) error {
	for failures := 1; ; failures++ {
		got, err := f()
		if ctx.Err() != nil && err != nil {
			return context.Cause(ctx)
		}
		var t *temporary
		if !errors.As(err, &t) {
			return err
		}
		if got {
			failures = 1
		}
		if failures > s.Retries {
			return fmt.Errorf("%w: %w", ErrNetwork, err)
		}
		pause := max(s.backoff(failures), min(t.after, maxAfter))
		s.Logger.Info("hub: trying again", "failures", failures, "pause", pause, "error", s.scrub(err.Error()))
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// backoff doubles the pause after each failure, and varies it by a half, so that many
// clients of a server that comes back do not come at once.
func (s *settings) backoff(failures int) time.Duration {
	pause := min(s.pause<<min(failures-1, 16), maxPause)
	return time.Duration(float64(pause) * (0.5 + rand.Float64()))
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// rateLimit is what a server that counts requests says: remaining ones, and seconds
// until it counts anew.
var rateLimit = regexp.MustCompile(`;\s*r\s*=\s*0+\s*;\s*t\s*=\s*(\d{1,9})\b`)

// retryAfter is how long a server asks to wait, 0 where it does not.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if m := rateLimit.FindStringSubmatch(h.Get("RateLimit")); m != nil && text == "" {
		text = m[1]
	}
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(text); err == nil {
		return max(date.Sub(now), 0)
	}
	return 0
}

// errStalled ends a connection that brings nothing.
var errStalled = errors.New("nothing comes any more")

// trickle is less than a connection that works brings within the time of a stall, in bytes.
const trickle = 4 << 10

// watch returns a context that ends when too little arrives for too long; arrived is to
// be told of what does.
func (s *settings) watch(ctx context.Context) (_ context.Context, arrived func(n int), stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(s.Stall, func() { cancel(errStalled) })
	sum := 0
	arrived = func(n int) {
		if sum += n; sum >= trickle {
			sum = 0
			timer.Reset(s.Stall)
		}
	}
	return ctx, arrived, func() {
		timer.Stop()
		cancel(nil)
	}
}

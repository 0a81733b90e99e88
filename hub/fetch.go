package hub

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
)

// job is a file on its way into the cache.
type job struct {
	entry
	name string

	mu     sync.Mutex
	direct *url.URL // where the endpoint led; nil = it has to be asked
}

// fetch brings files into the snapshot.
func (r *repository) fetch(ctx context.Context, names ...string) error {
	var jobs []*job
	seen := map[string]bool{}
	for _, name := range names {
		e, err := r.lookup(name)
		switch {
		case err != nil:
			return err
		case seen[name] || r.has(r.commit, name, e):
			continue
		case r.local:
			return fmt.Errorf("%s is not in the cache: %w", name, fs.ErrNotExist)
		}
		seen[name] = true
		jobs = append(jobs, &job{entry: e, name: name})
	}
	if len(jobs) == 0 {
		return nil
	}
	if err := r.each(ctx, jobs, r.complete); err != nil {
		return err
	}
	if err := r.checkSpace(jobs); err != nil {
		return err
	}
	for _, j := range jobs {
		r.meter.expect(j.size)
	}
	return r.each(ctx, jobs, r.bring)
}

// each does something with all files, so many at once as there may be connections. The
// first error ends the others.
func (r *repository) each(ctx context.Context, jobs []*job, do func(context.Context, *job) error) error {
	return together(ctx, r.Connections, len(jobs), func(ctx context.Context, i int) error {
		if err := do(ctx, jobs[i]); err != nil {
			return fmt.Errorf("%s: %w", jobs[i].name, err)
		}
		return nil
	})
}

// together calls do with 0 to n-1, so many at once. The first error ends the others.
func together(ctx context.Context, atOnce, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(atOnce, n) {
		workers.Go(func() {
			for i := range next {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	workers.Wait()
	return context.Cause(ctx)
}

// complete finds out the hash and the size of a file where the listing does not say.
func (r *repository) complete(ctx context.Context, j *job) error {
	if j.hash() != "" && j.size >= 0 {
		return nil
	}
	e, err := r.describe(ctx, r.address(r.ref.Repository, r.commit, j.name), r.commit)
	j.entry = e
	return err
}

// bring brings a file into the snapshot.
func (r *repository) bring(ctx context.Context, j *job) error {
	unlock, alone, err := r.lock(ctx, j.hash())
	if err != nil {
		return err
	}
	defer unlock()
	if sized(r.blob(j.hash()), j.size) {
		r.meter.had(j.size)
		os.Remove(r.record(j)) // of a process that ended right after the blob had its name
	} else if err := r.download(ctx, j, alone); err != nil {
		return err
	}
	return r.link(r.commit, j.name, j.entry)
}

// record is the name of the record of a blob on its way.
func (r *repository) record(j *job) string { return r.blob(j.hash()) + ".ranges" }

// tries is how often a file is downloaded that turns out to be another.
const tries = 3

// download brings a blob into the cache.
func (r *repository) download(ctx context.Context, j *job, alone bool) error {
	name := r.record(j)
	if !alone {
		name += "." + suffix()
	}
	piece := r.piece
	for n := 0; ; {
		p, err := openPartial(name, j.size, piece)
		if err != nil {
			return err
		}
		err = r.fill(ctx, j, p)
		whole, corrupt := errors.Is(err, errNoRanges), false
		if err == nil {
			err = p.settle(ctx, r.blob(j.hash()), j.entry)
			corrupt = errors.Is(err, ErrCorrupt)
		}
		if whole || corrupt {
			r.meter.had(-p.sum())
			p.discard()
		}
		p.close(alone)
		switch {
		case whole:
			piece = max(j.size, 1)
			continue
		case !corrupt:
			return err
		}
		if n++; n == tries || r.Retries == 0 {
			return err
		}
		r.Logger.Warn("hub: downloading a file again", "file", j.name, "error", r.scrub(err.Error()))
	}
}

// fill downloads what a partial file lacks.
func (r *repository) fill(ctx context.Context, j *job, p *partial) error {
	r.meter.start(j.name, p.sum())
	return together(ctx, r.Connections, len(p.done), func(ctx context.Context, i int) error {
		select {
		case r.slots <- struct{}{}:
			defer func() { <-r.slots }()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		return r.retry(ctx, func() (bool, error) {
			from, to := p.lacks(i)
			if from == to {
				return false, nil
			}
			err := r.pull(ctx, j, p, i, from, to)
			if err != nil {
				j.lead(nil)
			}
			now, _ := p.lacks(i)
			return now > from, err
		})
	})
}

// errNoRanges says that the server gives files as a whole alone.
var errNoRanges = errors.New("the server knows no ranges")

// pull makes one request for bytes from to of a file and writes what comes.
func (r *repository) pull(ctx context.Context, j *job, p *partial, i int, from, to int64) error {
	ctx, arrived, stop := r.watch(ctx)
	defer stop()
	u := j.led()
	if u == nil {
		u = r.address(r.ref.Repository, r.commit, j.name)
	}
	a, err := r.ask(ctx, http.MethodGet, u, fmt.Sprintf("bytes=%d-%d", from, to-1), false)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if err := r.checkAnswer(a, j); err != nil {
		return err
	}
	if a.StatusCode == http.StatusOK {
		if len(p.done) > 1 {
			return errNoRanges
		}
		r.meter.had(-from)
		from = 0
		p.forget()
	} else if err := checkRange(a.Header.Get("Content-Range"), from, to, j.size); err != nil {
		return again("%s: %w", r.show(u), err)
	}
	if a.away != nil {
		j.lead(a.away)
	}
	err = p.copy(i, from, to, &heard{a.Body, func(n int) {
		arrived(n)
		r.meter.got(n)
	}}, r.meter)
	var local *fs.PathError
	if err != nil && !errors.As(err, &local) {
		err = r.broken(ctx, u, err)
	}
	return err
}

// checkAnswer compares the headers of an answer with what the listing says of the file.
func (r *repository) checkAnswer(a *answer, j *job) error {
	if encoding := a.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return again("%s: comes encoded as %.20q", r.show(a.Request.URL), encoding)
	}
	if commit := a.own.Get(repoCommit); commit != "" && commit != r.commit {
		return again("%s: answers with commit %.60q, not %s", r.show(a.Request.URL), commit, r.commit)
	}
	got := hashOf(a.own)
	if len(got.hash()) == len(j.hash()) && got.hash() != j.hash() {
		return fmt.Errorf("%w: %s: the hash is %s here, and %s in the listing", ErrCorrupt, r.show(a.Request.URL), got.hash(), j.hash())
	}
	return nil
}

// checkRange compares what a server says that it sends with what it was asked for.
func checkRange(header string, from, to, size int64) error {
	want := fmt.Sprintf("bytes %d-%d/", from, to-1)
	if header != fmt.Sprint(want, size) && header != want+"*" {
		return fmt.Errorf("sends the range %.60q, asked for %s%d", header, want, size)
	}
	return nil
}

// led returns where the endpoint last led for the file.
func (j *job) led() *url.URL {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.direct
}

// lead keeps where the endpoint led, as long as it serves.
func (j *job) lead(to *url.URL) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.direct = to
}

// checkSpace compares what is to come with the space on the disk.
func (r *repository) checkSpace(jobs []*job) error {
	var need int64
	for _, j := range jobs {
		if !sized(r.blob(j.hash()), j.size) {
			need += j.size - onDisk(r.record(j), j.size, r.piece)
		}
	}
	if err := os.MkdirAll(filepath.Join(r.dir, "blobs"), 0o777); err != nil {
		return err
	}
	free, err := r.free(r.dir)
	if err == nil && free >= 0 && need > free {
		return fmt.Errorf("%w: %s are to be downloaded to %s, where %s are free; HF_HUB_CACHE or Options.Cache name another place",
			ErrSpace, amount(need), r.dir, amount(free))
	}
	return nil // a system that does not tell will say so when it is full
}

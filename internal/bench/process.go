package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// errLate says that a side took longer than it may.
var errLate = errors.New("took longer than it may")

// peer is a side at work: a process.
type peer struct {
	cmd     *exec.Cmd
	cancel  context.CancelFunc // kills it
	to      io.WriteCloser
	answers chan answer // closed behind the last one
	log     *tail
	what    string // computes
}

// answer is a line, or why there is none.
type answer struct {
	reply
	err error
}

// start starts a side and waits until it is ready. The process ends with the context, and so do its children.
func start(ctx context.Context, command []string, environment []string, limit time.Duration) (*peer, error) {
	ctx, cancel := context.WithCancel(ctx)
	p := &peer{cancel: cancel, answers: make(chan answer), log: &tail{}}
	p.cmd = exec.CommandContext(ctx, command[0], command[1:]...)
	p.cmd.Env, p.cmd.Stderr = append(p.cmd.Environ(), environment...), p.log
	p.cmd.WaitDelay = 5 * time.Second // for a child that holds the standard error open
	together(p.cmd)
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		p.to, err = p.cmd.StdinPipe()
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, err
	}
	go p.listen(ctx, out)
	r, err := p.answer(ctx, 0, limit)
	if err != nil {
		p.end()
		return nil, err
	}
	p.what = r.Ready
	return p, nil
}

// listen reads answers until there are no more.
func (p *peer) listen(ctx context.Context, out io.Reader) {
	defer close(p.answers)
	for lines := bufio.NewReader(out); ; {
		var a answer
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return // the process has ended, and its log says why
		}
		if err := json.Unmarshal(line, &a.reply); err != nil {
			a.err = fmt.Errorf("answer %.80q: %w", line, err)
		}
		select {
		case p.answers <- a:
		case <-ctx.Done():
			return
		}
	}
}

// ask has the side make some runs.
func (p *peer) ask(ctx context.Context, runs int, limit time.Duration) (reply, error) {
	return p.request(ctx, request{Runs: runs}, limit)
}

// request sends a line, and waits for its answer.
func (p *peer) request(ctx context.Context, r request, limit time.Duration) (reply, error) {
	if err := json.NewEncoder(p.to).Encode(r); err != nil {
		return reply{}, p.explained(err)
	}
	return p.answer(ctx, r.Runs, limit)
}

// answer waits for what a request of so many runs is answered.
func (p *peer) answer(ctx context.Context, runs int, limit time.Duration) (reply, error) {
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case a, ok := <-p.answers:
		if !ok {
			return reply{}, p.explained(errors.New("the process has ended"))
		}
		if a.err == nil {
			a.err = a.check(runs)
		}
		return a.reply, a.err
	case <-late.C:
		return reply{}, fmt.Errorf("%w, %v", errLate, limit)
	case <-ctx.Done():
		return reply{}, context.Cause(ctx)
	}
}

// explained adds what the process said last.
func (p *peer) explained(err error) error {
	p.cancel()
	_ = p.cmd.Wait() // now the log is whole
	if said := p.log.String(); said != "" {
		return fmt.Errorf("%w; it said last: %s", err, said)
	}
	return err
}

// end ends the process.
func (p *peer) end() {
	p.cancel()
	_ = p.to.Close()
	_ = p.cmd.Wait() // it was killed
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// tailLength is how much of a log is kept, in bytes.
const tailLength = 2000

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	if surplus := len(t.text) - tailLength; surplus > 0 {
		t.text = append(t.text[:0], t.text[surplus:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(strings.ToValidUTF8(string(t.text), "?"))
}

package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"sync/atomic"
)

// partial is a file on its way: its bytes, with holes, and beside it a record of how many
// of each piece are there. A process that goes on from there believes the record; what
// it is wrong about, after a power failure, the hash finds.
type partial struct {
	name         string // of the record; the bytes are at name + ".incomplete"
	data, record *os.File
	size, piece  int64
	done         []atomic.Int64 // bytes of each piece that are there, from its beginning
}

// The record is a sequence of 64-bit numbers, little-endian: the file's size, the size of
// a piece, and what is done of each.
const recordHead = 2

// openPartial goes on with what is there, or begins.
func openPartial(name string, size, piece int64) (*partial, error) {
	p := &partial{name: name, size: size, piece: piece, done: make([]atomic.Int64, (size+piece-1)/piece)}
	var err error
	if p.data, err = os.OpenFile(p.name+".incomplete", os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return nil, err
	}
	if p.record, err = os.OpenFile(p.name, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		p.data.Close()
		return nil, err
	}
	if err := p.resume(); err != nil {
		p.close(true)
		return nil, err
	}
	return p, nil
}

// resume reads the record if it is about these pieces of this file, and starts anew
// otherwise.
func (p *partial) resume() error {
	info, err := p.data.Stat()
	if err != nil {
		return err
	}
	if raw, err := os.ReadFile(p.name); err == nil && info.Size() == p.size {
		if done := parseRecord(raw, p.size, p.piece); done != nil {
			for i, n := range done {
				p.done[i].Store(n)
			}
			return nil
		}
	}
	if err := p.record.Truncate(0); err != nil {
		return err
	}
	if err := p.data.Truncate(0); err != nil { // so that holes are holes
		return err
	}
	if err := p.data.Truncate(p.size); err != nil {
		return err
	}
	record := make([]byte, 8*(recordHead+len(p.done)))
	binary.LittleEndian.PutUint64(record, uint64(p.size))
	binary.LittleEndian.PutUint64(record[8:], uint64(p.piece))
	_, err = p.record.WriteAt(record, 0)
	return err
}

// parseRecord reads how many bytes of each piece are there; nil if the record is about
// other pieces, or damaged.
func parseRecord(raw []byte, size, piece int64) []int64 {
	pieces := (size + piece - 1) / piece
	if int64(len(raw)) != 8*(recordHead+pieces) || binary.LittleEndian.Uint64(raw) != uint64(size) || binary.LittleEndian.Uint64(raw[8:]) != uint64(piece) {
		return nil
	}
	done := make([]int64, pieces)
	for i := range done {
		done[i] = int64(binary.LittleEndian.Uint64(raw[8*(recordHead+i):]))
		if done[i] < 0 || done[i] > min(piece, size-int64(i)*piece) {
			return nil
		}
	}
	return done
}

// onDisk is how many bytes of a file another call has left.
func onDisk(name string, size, piece int64) (sum int64) {
	raw, err := os.ReadFile(name)
	if err != nil || !sized(name+".incomplete", size) {
		return 0
	}
	for _, n := range parseRecord(raw, size, piece) {
		sum += n
	}
	return sum
}

// lacks returns the range of bytes that a piece lacks.
func (p *partial) lacks(i int) (from, to int64) {
	start := int64(i) * p.piece
	return start + p.done[i].Load(), min(start+p.piece, p.size)
}

// sum is how many bytes are there.
func (p *partial) sum() (sum int64) {
	for i := range p.done {
		sum += p.done[i].Load()
	}
	return sum
}

// forget begins a file of one piece anew.
func (p *partial) forget() { p.done[0].Store(0) }

// chunk is written at once, in bytes: what a process that is killed loses at most of each
// connection.
const chunk = 1 << 20

// copy writes bytes from to of the file, as they come, in piece i.
func (p *partial) copy(i int, from, to int64, body io.Reader, m *meter) error {
	buffer := make([]byte, min(chunk, to-from))
	for from < to {
		n, err := io.ReadFull(body, buffer[:min(int64(len(buffer)), to-from)])
		if n > 0 {
			if err := p.write(i, buffer[:n], from); err != nil {
				return err
			}
			m.had(int64(n))
			from += int64(n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// write writes some bytes, and then into the record that they are there.
func (p *partial) write(i int, b []byte, at int64) error {
	if _, err := p.data.WriteAt(b, at); err != nil {
		return err
	}
	done := p.done[i].Add(int64(len(b)))
	_, err := p.record.WriteAt(binary.LittleEndian.AppendUint64(nil, uint64(done)), int64(8*(recordHead+i)))
	return err
}

// settle compares the file with what the registry says of it, and gives it its name.
func (p *partial) settle(ctx context.Context, name string, e entry) error {
	got, err := p.hash(ctx, e)
	if err != nil {
		return err
	}
	if got != e.hash() {
		return fmt.Errorf("%w: its hash is %s, not %s", ErrCorrupt, got, e.hash())
	}
	if err := p.data.Sync(); err != nil {
		return err
	}
	p.record.Close()
	if err := p.data.Close(); err != nil { // Windows renames no file that is open
		return err
	}
	if err := os.Rename(p.name+".incomplete", name); err != nil {
		return err
	}
	os.Remove(p.name) // a record without its file is begun anew
	return nil
}

// hash computes what the registry calls the file by. It reads the file itself, and not
// what has been written: that is what will be read later.
func (p *partial) hash(ctx context.Context, e entry) (string, error) {
	var h hash.Hash
	if e.sha256 != "" {
		h = sha256.New()
	} else {
		h = sha1.New() // git's, which is all that there is for small files
		fmt.Fprintf(h, "blob %d\x00", p.size)
	}
	buffer := make([]byte, chunk)
	for at := int64(0); at < p.size; {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		n, err := p.data.ReadAt(buffer[:min(chunk, p.size-at)], at)
		if n == 0 {
			return "", err
		}
		h.Write(buffer[:n])
		at += int64(n)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// discard forgets all of it.
func (p *partial) discard() {
	os.Remove(p.name)
	p.data.Truncate(0) // and with the record gone the next one does so, too
}

// close closes the files, if they are not. What no other call can share is removed.
func (p *partial) close(shared bool) {
	p.data.Close()
	p.record.Close()
	if !shared {
		os.Remove(p.name)
		os.Remove(p.name + ".incomplete")
	}
}

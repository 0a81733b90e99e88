package safetensors

import (
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/hostmem"
)

// File is an open safetensors file whose header was read and found right. Its
// methods may be called from several goroutines.
type File struct {
	name   string
	header *header
	start  int64 // of the data section, in the file

	mu     sync.RWMutex // guards closed and mapped against Close
	closed bool
	mapped []byte // the whole file, nil where it is not mapped
	reader io.ReaderAt
	closer io.Closer
}

// OpenFile opens the file at path, memory-mapped where the system can.
func OpenFile(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	return open(path, f)
}

// Open opens the named file. A file of the operating system, as from
// [os.DirFS], is memory-mapped; others, as from [embed.FS], are read tensor by
// tensor when asked for. The file must not be changed while it is open: on
// some systems truncating a mapped file kills the program that reads it.
func Open(fsys fs.FS, name string) (*File, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %w", err)
	}
	return open(name, f)
}

// New reads a file of size bytes from r, which must stay readable as long as
// the File is in use. The name is for messages.
func New(name string, r io.ReaderAt, size int64) (*File, error) {
	f := &File{name: name, reader: r}
	if err := f.readHeader(size); err != nil {
		return nil, fmt.Errorf("safetensors: %s: %w", name, err)
	}
	return f, nil
}

// open takes ownership of src.
func open(name string, src fs.File) (_ *File, err error) {
	f := &File{name: name, closer: src}
	defer func() {
		if err != nil {
			f.Close()
			err = fmt.Errorf("safetensors: %s: %w", name, err)
		}
	}()
	stat, err := src.Stat()
	if err != nil {
		return nil, err
	}
	if !stat.Mode().IsRegular() {
		return nil, fmt.Errorf("not a regular file: %w", fs.ErrInvalid)
	}
	if err := f.attach(src, stat.Size()); err != nil {
		return nil, err
	}
	if err := f.readHeader(stat.Size()); err != nil {
		return nil, err
	}
	return f, nil
}

// attach decides how the bytes are reached.
func (f *File) attach(src fs.File, size int64) error {
	var ok bool
	if f.reader, ok = src.(io.ReaderAt); !ok {
		return fmt.Errorf("file system cannot read at an offset: %w", fs.ErrInvalid)
	}
	file, ok := src.(*os.File)
	if !ok || size == 0 {
		return nil
	}
	// A file that cannot be mapped (some network file systems) is read instead.
	if mapped, err := mapFile(file, size); err == nil {
		f.mapped = mapped
	}
	return nil
}

// readHeader reads and checks everything before the data section.
func (f *File) readHeader(size int64) error {
	if size < 8 {
		return invalid("file of %d bytes is too short for a header", size)
	}
	length, err := f.read(0, 8)
	if err != nil {
		return err
	}
	n := binary.LittleEndian.Uint64(length)
	if n > maxHeader {
		if start, err := f.read(0, min(size, 64)); err == nil && hf.CheckPointer(start) != nil {
			return hf.CheckPointer(start)
		}
		return invalid("header of %d bytes is longer than the limit of %d", n, maxHeader)
	}
	if n > uint64(size-8) {
		return invalid("header of %d bytes does not fit a file of %d bytes", n, size)
	}
	text, err := f.read(8, int64(n))
	if err != nil {
		return err
	}
	f.start = 8 + int64(n)
	f.header, err = parseHeader(text, size-f.start)
	return err
}

// read returns n bytes from offset: of the mapping itself, or a copy.
func (f *File) read(offset, n int64) ([]byte, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.closed {
		return nil, fs.ErrClosed
	}
	if f.mapped != nil {
		return f.mapped[offset : offset+n : offset+n], nil
	}
	b := make([]byte, n)
	if got, err := f.reader.ReadAt(b, offset); int64(got) < n {
		return nil, fmt.Errorf("reading %d bytes at %d: %w", n, offset, err)
	}
	return b, nil
}

// Name returns the name under which the file was opened.
func (f *File) Name() string { return f.name }

// Tensors returns what the file holds, in the order of the bytes.
func (f *File) Tensors() []Info { return slices.Clone(f.header.tensors) }

// Metadata returns the header's free strings; it is nil where there are none.
// Treat it as read-only.
func (f *File) Metadata() map[string]string { return f.header.metadata }

// Info returns the description of one tensor and whether the file has it.
func (f *File) Info(name string) (Info, bool) {
	i, ok := f.header.byName[name]
	if !ok {
		return Info{}, false
	}
	return f.header.tensors[i], true
}

// Bytes returns a tensor's bytes, row-major and little-endian. Where the file
// is mapped they are the file itself: they must not be written to, start at no
// particular alignment, and must not be used after Close. An unknown name
// gives an error that wraps [ErrNoTensor].
func (f *File) Bytes(name string) ([]byte, error) {
	_, data, err := f.tensor(name)
	return data, err
}

// tensor returns a tensor's description and its bytes.
func (f *File) tensor(name string) (Info, []byte, error) {
	info, ok := f.Info(name)
	if !ok {
		return Info{}, nil, f.about(name, ErrNoTensor)
	}
	data, err := f.read(f.start+info.Begin, info.End-info.Begin)
	if err != nil {
		return Info{}, nil, f.about(name, err)
	}
	return info, data, nil
}

// Drop tells the system that the tensor's bytes will not be needed soon, so
// that a mapped checkpoint and its copy on the device need not both stay in
// memory. The bytes stay valid; without a mapping nothing happens.
func (f *File) Drop(name string) {
	info, ok := f.Info(name)
	f.mu.RLock()
	defer f.mu.RUnlock()
	if ok && f.mapped != nil {
		hostmem.Drop(f.mapped[f.start+info.Begin : f.start+info.End])
	}
}

// Close releases the file. Bytes that came from a mapping are invalid
// afterwards.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	err := unmapFile(f.mapped)
	f.mapped = nil
	if f.closer != nil {
		if e := f.closer.Close(); err == nil {
			err = e
		}
	}
	if err != nil {
		return fmt.Errorf("safetensors: %s: %w", f.name, err)
	}
	return nil
}

// about names file and tensor in an error.
func (f *File) about(tensor string, err error) error {
	return fmt.Errorf("safetensors: %s: %w", f.name, inTensor(tensor, err))
}

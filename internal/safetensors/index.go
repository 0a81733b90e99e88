package safetensors

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/hf"
)

// Sharded is a checkpoint in several files with an index
// (*.safetensors.index.json) that says where each tensor is. It answers as one
// [File] would.
type Sharded struct {
	name   string
	files  []*File // sorted by name
	byName map[string]*File
}

// OpenIndexFile is [OpenIndex] for the file at path.
func OpenIndexFile(name string) (*Sharded, error) {
	return OpenIndex(os.DirFS(filepath.Dir(name)), filepath.Base(name))
}

// OpenIndex opens every shard that the named index lists; they lie in the
// index's own folder. A tensor that the index lists must be in the shard that
// it names, and no tensor may be in two shards. Tensors that the index forgot
// are present all the same: the reader of a checkpoint decides about surplus.
func OpenIndex(fsys fs.FS, name string) (_ *Sharded, err error) {
	s := &Sharded{name: name, byName: map[string]*File{}}
	weights, err := readIndex(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("safetensors: %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	shards := slices.Compact(slices.Sorted(maps.Values(weights)))
	for _, shard := range shards {
		f, err := Open(fsys, path.Join(path.Dir(name), shard))
		if err != nil {
			return nil, fmt.Errorf("safetensors: %s: %w", name, err)
		}
		s.files = append(s.files, f)
		for _, info := range f.Tensors() {
			if other, ok := s.byName[info.Name]; ok {
				return nil, f.about(info.Name, invalid("is in %s too", other.name))
			}
			s.byName[info.Name] = f
		}
	}
	if err := s.check(weights); err != nil {
		return nil, err
	}
	return s, nil
}

// check compares the index with the shards.
func (s *Sharded) check(weights map[string]string) error {
	for _, tensor := range slices.Sorted(maps.Keys(weights)) {
		f, ok := s.byName[tensor]
		if !ok || path.Base(f.name) != weights[tensor] {
			return fmt.Errorf("safetensors: %s: %w", s.name,
				inTensor(tensor, invalid("is not in %s, where the index has it", weights[tensor])))
		}
	}
	return nil
}

// readIndex returns the map from tensor to shard.
func readIndex(fsys fs.FS, name string) (map[string]string, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text := bufio.NewReader(io.LimitReader(f, maxHeader))
	start, _ := text.Peek(64) // of a file that is shorter, what there is
	if err := hf.CheckPointer(start); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(text)
	var weights map[string]string
	err = object(dec, func(key string) (err error) {
		if key == "weight_map" {
			weights, err = readWeightMap(dec)
			return err
		}
		var skip json.RawMessage // "metadata", of no use here
		if err := dec.Decode(&skip); err != nil {
			return invalid("%q: %v", key, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, invalid("index goes on after its JSON object")
	}
	if len(weights) == 0 {
		return nil, invalid("index without a weight_map")
	}
	return weights, nil
}

func readWeightMap(dec *json.Decoder) (map[string]string, error) {
	weights := map[string]string{}
	err := object(dec, func(tensor string) error {
		shard, err := readString(dec)
		if err != nil {
			return inTensor(tensor, err)
		}
		// Shards lie beside the index; a name that leads elsewhere is an attack.
		if shard == "" || strings.ContainsAny(shard, "/\\:\x00") || strings.Contains(shard, "..") || shard == "." {
			return inTensor(tensor, invalid("%q is not the name of a shard", shard))
		}
		weights[tensor] = shard
		return nil
	})
	return weights, err
}

// Name returns the name of the index.
func (s *Sharded) Name() string { return s.name }

// Tensors returns what the shards hold, shard after shard.
func (s *Sharded) Tensors() []Info {
	var all []Info
	for _, f := range s.files {
		all = append(all, f.header.tensors...)
	}
	return all
}

// Info is [File.Info]; offsets count from the data section of the tensor's
// own shard.
func (s *Sharded) Info(name string) (Info, bool) {
	f, ok := s.byName[name]
	if !ok {
		return Info{}, false
	}
	return f.Info(name)
}

// Bytes is [File.Bytes].
func (s *Sharded) Bytes(name string) ([]byte, error) {
	f, err := s.file(name)
	if err != nil {
		return nil, err
	}
	return f.Bytes(name)
}

// Float32s is [File.Float32s].
func (s *Sharded) Float32s(name string) ([]float32, error) {
	f, err := s.file(name)
	if err != nil {
		return nil, err
	}
	return f.Float32s(name)
}

// Tensor is [File.Tensor].
func (s *Sharded) Tensor(name string) (*tensors.Tensor, error) { return s.TensorOn(nil, name) }

// TensorOn is [File.TensorOn].
func (s *Sharded) TensorOn(backend compute.Backend, name string) (*tensors.Tensor, error) {
	f, err := s.file(name)
	if err != nil {
		return nil, err
	}
	return f.TensorOn(backend, name)
}

// Drop is [File.Drop].
func (s *Sharded) Drop(name string) {
	if f, ok := s.byName[name]; ok {
		f.Drop(name)
	}
}

// Close closes all shards.
func (s *Sharded) Close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

func (s *Sharded) file(name string) (*File, error) {
	f, ok := s.byName[name]
	if !ok {
		return nil, fmt.Errorf("safetensors: %s: %w", s.name, inTensor(name, ErrNoTensor))
	}
	return f, nil
}

package overlay

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Prepared overlays are inputs of a graph, so that one compiled program serves every
// picture that is laid over images of one size.

// Prepare returns the overlay for images of a size in pixels, as ApplyPrepared wants
// it: what it keeps of them, float32 [1, height, width, 1], and what it adds to
// them, [1, height, width, 3]. Errors are what Apply panics with.
func (s Solid) Prepare(height, width int) ([]*tensors.Tensor, error) {
	return prepareFilm(s, height, width)
}

// ApplyPrepared is Apply by what Prepare returned, as nodes.
func (s Solid) ApplyPrepared(image *graph.Node, prepared []*graph.Node) *graph.Node {
	checkImage(image)
	return layFilm(image, prepared)
}

// Prepare is that of Solid.
func (t Transparent) Prepare(height, width int) ([]*tensors.Tensor, error) {
	return prepareFilm(t, height, width)
}

// ApplyPrepared is Apply by what Prepare returned, as nodes.
func (t Transparent) ApplyPrepared(image *graph.Node, prepared []*graph.Node) *graph.Node {
	checkImage(image)
	return layFilm(image, prepared)
}

// Prepare returns what Solid's does for every overlay of the stack in turn. It
// returns nil where a layer is none of this package's: that one knows only Apply.
func (s Stack) Prepare(height, width int) ([]*tensors.Tensor, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	var all []*tensors.Tensor
	for _, l := range s {
		p, ok := l.(interface {
			Prepare(height, width int) ([]*tensors.Tensor, error)
		})
		if !ok {
			return nil, nil
		}
		prepared, err := p.Prepare(height, width)
		if prepared == nil {
			return nil, err
		}
		all = append(all, prepared...)
	}
	return all, nil
}

// ApplyPrepared is Apply by what Prepare returned, as nodes.
func (s Stack) ApplyPrepared(image *graph.Node, prepared []*graph.Node) *graph.Node {
	checkImage(image)
	for k := 0; k < len(prepared); k += filmTensors {
		image = layFilm(image, prepared[k:min(k+filmTensors, len(prepared))])
	}
	return image
}

// filmTensors is the number of tensors of a film.
const filmTensors = 2

// prepareFilm makes tensors of an overlay's film.
func prepareFilm(o filmer, height, width int) ([]*tensors.Tensor, error) {
	f, err := o.film(height, width)
	if err != nil {
		return nil, fmt.Errorf("overlay: %w", err)
	}
	return []*tensors.Tensor{
		tensors.FromFlatDataAndDimensions(f.keep, 1, height, width, 1),
		tensors.FromFlatDataAndDimensions(f.ink, 1, height, width, 3),
	}, nil
}

// layFilm lays a film, as nodes, over image.
func layFilm(image *graph.Node, film []*graph.Node) *graph.Node {
	if len(film) != filmTensors {
		exceptions.Panicf("overlay: %d tensors are not what Prepare returns", len(film))
	}
	keep, ink := graph.ConvertDType(film[0], image.DType()), graph.ConvertDType(film[1], image.DType())
	return graph.Add(graph.Mul(image, keep), ink)
}

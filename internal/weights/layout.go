package weights

// Holder is a Source that knows which parameters it has, as a checkpoint does and
// an initialiser does not.
type Holder interface {
	Has(name string) bool
}

// Has implements Holder.
func (c *Checkpoint) Has(name string) bool {
	_, ok := c.file.Info(name)
	return ok
}

// Has says whether the source holds a parameter called name below the cursor. One that
// makes its parameters holds none.
func (c Cursor) Has(name string) bool {
	source, ok := c.source.(Holder)
	return ok && source.Has(c.Path(name))
}

// Layout returns the first of several places, as dotted paths below the cursor,
// that holds a parameter called name. Versions of transformers have put the same
// parts of a model under different names. Where none holds it, as with a source
// that makes its parameters, it is the first.
func (c Cursor) Layout(name string, places ...string) Cursor {
	for _, place := range places {
		if at := c.In(place); at.Has(name) {
			return at
		}
	}
	return c.In(places[0])
}

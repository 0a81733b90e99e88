package dualprocess

import "slices"

// recent keeps so many values, those used last, and frees the others. It must not be
// used by several goroutines at once.
type recent[K comparable, V any] struct {
	limit  int
	free   func(V)
	values map[K]V
	order  []K // the last used at the end
}

func newRecent[K comparable, V any](limit int, free func(V)) *recent[K, V] {
	return &recent[K, V]{limit: limit, free: free, values: map[K]V{}}
}

// get returns a value that is kept, and counts as a use.
func (r *recent[K, V]) get(key K) (value V, ok bool) {
	if value, ok = r.values[key]; ok {
		k := slices.Index(r.order, key)
		r.order = append(slices.Delete(r.order, k, k+1), key)
	}
	return value, ok
}

// put keeps a value that is not kept yet.
func (r *recent[K, V]) put(key K, value V) {
	for len(r.order) >= r.limit {
		r.drop()
	}
	r.values[key] = value
	r.order = append(r.order, key)
}

// drop frees the value that was not used for longest.
func (r *recent[K, V]) drop() {
	oldest := r.order[0]
	r.free(r.values[oldest])
	delete(r.values, oldest)
	r.order = slices.Delete(r.order, 0, 1)
}

// clear frees all.
func (r *recent[K, V]) clear() {
	for len(r.order) > 0 {
		r.drop()
	}
}

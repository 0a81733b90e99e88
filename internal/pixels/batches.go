package pixels

import (
	"image"
	"iter"
)

// Batches goes through a stream n pictures at a time, the last time with those that
// are left. An error of the stream ends it, together with the pictures that came since
// the last batch. The slice is used again for the next batch.
func Batches(pictures iter.Seq2[image.Image, error], n int) iter.Seq2[[]image.Image, error] {
	return func(yield func([]image.Image, error) bool) {
		batch := make([]image.Image, 0, n)
		for img, err := range pictures {
			if err != nil {
				yield(batch, err)
				return
			}
			if batch = append(batch, img); len(batch) == n {
				if !yield(batch, nil) {
					return
				}
				batch = batch[:0]
			}
		}
		if len(batch) > 0 {
			yield(batch, nil)
		}
	}
}

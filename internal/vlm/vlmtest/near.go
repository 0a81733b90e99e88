package vlmtest

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// tolerance says how far numbers may be from the reference's: each by absolute +
// relative·|wanted|, and all together by norm of the wanted's norm (0 does not
// ask). Those of the fixtures' README are of this form.
type tolerance struct{ absolute, relative, norm float64 }

// of returns the tolerance of a key of the fixtures.
func of(part string, want []float32) tolerance {
	switch part {
	case "loss", "losses", "logits", "answer_logits", "log_prob_yes", "log_prob_no":
		return tolerance{absolute: 5e-5}
	case "prob", "probs":
		return tolerance{relative: 1e-4}
	case "pixel_values":
		return tolerance{absolute: 1e-5}
	case "grad_image":
		return tolerance{1e-5, 1e-4, 1e-4}
	case "grad_pixel_values":
		return tolerance{1e-5, 1e-4, 1e-4}
	}
	return tolerance{absolute: 5e-5 * max(1, largest(want))} // hidden states
}

func largest(values []float32) (out float64) {
	for _, x := range values {
		out = max(out, math.Abs(float64(x)))
	}
	return out
}

// near fails the test unless got is as near to want as the tolerance says; loose
// are places where extremes may differ more, by an absolute amount.
func near(t *testing.T, got, want []float32, tol tolerance, loose map[int]float64) {
	t.Helper()
	worst, err := distance(got, want, tol, loose)
	require.NoError(t, err)
	t.Logf("at most %.2g off, the largest is %.3g", worst, largest(want))
}

func distance(got, want []float32, tol tolerance, loose map[int]float64) (worst float64, err error) {
	if len(got) != len(want) {
		return 0, fmt.Errorf("%d numbers instead of %d", len(got), len(want))
	}
	var off, norm float64
	for i, w := range want {
		d := math.Abs(float64(got[i]) - float64(w))
		allowed := tol.absolute + tol.relative*math.Abs(float64(w))
		if extra, ok := loose[i]; ok {
			allowed = max(allowed, extra)
		} else {
			off, norm = off+d*d, norm+float64(w)*float64(w)
		}
		if !(d <= allowed) && err == nil { // NaN is not within
			err = fmt.Errorf("number %d of %d is %v instead of %v, %.2g off, allowed %.2g", i, len(want), got[i], w, d, allowed)
		}
		worst = max(worst, d)
	}
	if share := math.Sqrt(off / norm); err == nil && tol.norm > 0 && norm > 0 && !(share <= tol.norm) {
		err = fmt.Errorf("off by %.2g of the norm, allowed %.2g", share, tol.norm)
	}
	return worst, err
}

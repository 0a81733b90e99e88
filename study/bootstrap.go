package study

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Bootstrap says how intervals are found: the units of a study (rules, adapters,
// pictures) are drawn again and again with replacement, as many as there are, and the
// interval is what lies between two quantiles of the means (the percentile bootstrap,
// Efron 1979). The same data and seed give the same interval.
type Bootstrap struct {
	Draws int     // 0 = 2000
	Level float64 // share of the means that lie in the interval, in (0, 1); 0 = 0.95
	Seed  uint64
}

// Interval is a mean and how sure it is. It is NaN where nothing was measured, and has
// no width where one unit was: what one unit could vary by is not known.
type Interval struct {
	Mean  Number `json:"mean"`
	Low   Number `json:"low"`
	High  Number `json:"high"`
	Units int    `json:"units"` // that were drawn from
}

// Mean returns the mean of all samples, where each unit is a list of samples that hang
// together: they are drawn together or not at all. NaN does not count.
func (b Bootstrap) Mean(units [][]float64) Interval { return b.MeanOfMeans([][][]float64{units}) }

// MeanOfMeans returns the mean of the means of several groups of units, such as the
// categories of a benchmark. Units are drawn within their group. A group without any
// sample does not count.
func (b Bootstrap) MeanOfMeans(groups [][][]float64) Interval {
	var kept [][]unit
	count := 0
	for _, g := range groups {
		if units := sums(g); len(units) > 0 {
			kept = append(kept, units)
			count += len(units)
		}
	}
	if len(kept) == 0 {
		nan := Number(math.NaN())
		return Interval{nan, nan, nan, 0}
	}
	draws, level := b.Draws, b.level()
	if draws <= 0 {
		draws = 2000
	}
	rng := rand.New(rand.NewPCG(b.Seed, uint64(count)))
	means := make([]float64, draws)
	for k := range means {
		means[k] = meanOf(kept, func(n, _ int) int { return rng.IntN(n) })
	}
	slices.Sort(means)
	return Interval{
		Mean: Number(meanOf(kept, func(_, k int) int { return k })),
		Low:  Number(quantile(means, (1-level)/2)), High: Number(quantile(means, (1+level)/2)), Units: count,
	}
}

func (b Bootstrap) level() float64 {
	if b.Level <= 0 || b.Level >= 1 {
		return .95
	}
	return b.Level
}

// unit is a unit's sum and how many numbers it is of.
type unit struct{ sum, count float64 }

// sums adds up the units; those without a number are left out.
func sums(units [][]float64) []unit {
	var out []unit
	for _, values := range units {
		u := unit{}
		for _, v := range known(values) {
			u.sum, u.count = u.sum+v, u.count+1
		}
		if u.count > 0 {
			out = append(out, u)
		}
	}
	return out
}

// meanOf is the mean of the groups' means, where pick says which unit of n stands in
// the k-th place.
func meanOf(groups [][]unit, pick func(n, k int) int) float64 {
	total := 0.
	for _, units := range groups {
		all := unit{}
		for k := range units {
			u := units[pick(len(units), k)]
			all.sum, all.count = all.sum+u.sum, all.count+u.count
		}
		total += all.sum / all.count
	}
	return total / float64(len(groups))
}

// quantile interpolates between the sorted values, as numpy does by default.
func quantile(sorted []float64, share float64) float64 {
	at := share * float64(len(sorted)-1)
	low := int(at)
	if low+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}

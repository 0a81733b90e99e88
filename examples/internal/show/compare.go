package show

import (
	"fmt"
	"image"
	"math"
	"slices"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

// gauges are the control's, what is asked for first.
func (c *Control) gauges() []Gauge { return append([]Gauge{c.measure}, c.quality...) }

// compare measures a group's pictures, pairs of them with those before, and sums them up.
func (c *Control) compare(g Group, before map[source]image.Image) groupRecord {
	out := groupRecord{Name: g.Name, Stays: g.Stays, words: g.Plain != nil}
	rows := map[bool][]pictureRecord{}
	ratings := map[bool][]dualprocess.Rating{}
	for _, r := range g.Ratings {
		p := pictureRecord{Prompt: r.Prompt, Seed: r.Seed, Weight: r.Weight}
		for _, v := range r.P {
			p.P = append(p.P, Number(v))
		}
		plain := r.Prompt
		if g.Plain != nil {
			plain = g.Plain(r.Prompt)
		}
		for _, gauge := range c.gauges() {
			p.Gauges = append(p.Gauges, Number(gauge.measure(before[source{plain, r.Seed}], r.Image, r.Prompt)))
		}
		out.Pictures = append(out.Pictures, p)
		after := r.Weight != 0
		rows[after] = append(rows[after], p)
		ratings[after] = append(ratings[after], r)
	}
	out.Before = c.summary(rows[false], ratings[false])
	out.After = c.summary(rows[true], ratings[true])
	return out
}

// source is what pictures before and after have in common.
type source struct {
	prompt string
	seed   int64
}

// before returns the pictures that were made without the adapter.
func before(groups []Group) map[source]image.Image {
	pictures := map[source]image.Image{}
	for _, g := range groups {
		for _, r := range g.Ratings {
			if r.Weight == 0 {
				pictures[source{r.Prompt, r.Seed}] = r.Image
			}
		}
	}
	return pictures
}

func (c *Control) summary(pictures []pictureRecord, ratings []dualprocess.Rating) rowRecord {
	column := func(value func(pictureRecord) Number) Stat {
		var values []float64
		for _, p := range pictures {
			values = append(values, float64(value(p)))
		}
		return sumUp(values)
	}
	row := rowRecord{Pictures: len(pictures), Variety: Number(variety(ratings))}
	for k := range c.Task.Questions {
		row.P = append(row.P, column(func(p pictureRecord) Number { return p.P[k] }))
	}
	for k := range c.gauges() {
		row.Gauges = append(row.Gauges, column(func(p pictureRecord) Number { return p.Gauges[k] }))
	}
	return row
}

// p is the mean P(answer) of what is asked for.
func (r rowRecord) p() float64 { return float64(r.P[0].Mean) }

// Changes that count against a control.
const (
	changeOfP   = .05 // a smaller change of P(answer) is none
	lostVariety = .6  // share of the variety whose loss is a loss of quality
	toldVariety = .3  // and whose loss is told
	sureOf      = 2   // standard errors beyond which a fall of a quality is no chance
)

// judge passes the verdict on the first group, gauge by gauge: what is asked for must
// improve with P(answer), and nothing else may become worse by more than its tolerance
// and chance. What became worse by less is told, unless it may be chance: nothing is said
// to be fine that is not.
func (c *Control) judge(groups []groupRecord) {
	g := groups[0]
	if g.Before.Pictures == 0 || g.After.Pictures == 0 {
		return
	}
	c.record.Judged = true
	c.record.Learned = g.After.p()-g.Before.p() > changeOfP
	c.record.Failed = g.Before.p()-g.After.p() > changeOfP
	for k, gauge := range c.gauges() {
		before, after := gauge.better(g.Before.Gauges[k]), gauge.better(g.After.Gauges[k])
		what := fmt.Sprintf("%s went from %s to %s", gauge.Name, gauge.mean(g.Before.Gauges[k]), gauge.mean(g.After.Gauges[k]))
		if words := inWords(groups, k); gauge.OfPair != nil && words != nil {
			before = gauge.better(*words)
			what += fmt.Sprintf(" (asked in words, without the adapter: %s)", gauge.mean(*words))
		}
		asked := k == 0 && !gauge.Guard
		fell := g.fell(k, gauge.Less)
		if asked || fell { // of 16 subjects one is lost by chance
			c.suspect(g, what, asked, before, after, gauge.Tolerance)
		}
		if !asked && fell {
			c.record.Suffered = append(c.record.Suffered, what)
		}
	}
	before, after := float64(g.Before.Variety), float64(g.After.Variety)
	what := fmt.Sprintf("the variety of the pictures went from %.3f to %.3f", before, after)
	c.suspect(g, what, false, before, after, lostVariety*before)
	if before-after > toldVariety*before {
		c.record.Suffered = append(c.record.Suffered, what)
	}
}

// inWords returns what a gauge of pairs has to be compared with, where captions can ask for what
// the control is about: without the adapter, the picture of such a caption beside that of
// the plain one. Beside itself a picture has lost nothing, which is no more than a definition.
func inWords(groups []groupRecord, gauge int) *Stat {
	for _, g := range groups {
		if g.words && g.Before.Gauges[gauge].Count > 0 {
			return &g.Before.Gauges[gauge]
		}
	}
	return nil
}

// fell tells whether a gauge became worse, picture by picture of the same prompt and
// seed, by more than chance, or cannot be told of any picture any more.
func (g groupRecord) fell(gauge int, less bool) bool {
	if g.Before.Gauges[gauge].Count > 0 && g.After.Gauges[gauge].Count == 0 {
		return true
	}
	before := map[source]float64{}
	for _, p := range g.Pictures {
		if p.Weight == 0 {
			before[source{p.Prompt, p.Seed}] = float64(p.Gauges[gauge])
		}
	}
	var falls []float64
	for _, p := range g.Pictures {
		if was, known := before[source{p.Prompt, p.Seed}]; known && p.Weight != 0 {
			fall := was - float64(p.Gauges[gauge])
			falls = append(falls, choose(less, -fall, fall))
		}
	}
	s := sumUp(falls)
	return float64(s.Mean) > sureOf*float64(s.Spread)/math.Sqrt(float64(s.Count))
}

// suspect asks for a judgement about one gauge, what was asked for or a quality,
// and keeps it if it is bad.
func (c *Control) suspect(g groupRecord, what string, asked bool, before, after, tolerance float64) {
	outcome := func(row rowRecord, value float64) dualprocess.Outcome {
		o := dualprocess.Outcome{P: row.p(), Measure: math.NaN(), Quality: math.NaN()}
		if asked {
			o.Measure = value
		} else {
			o.Quality = value
		}
		return o
	}
	t := dualprocess.Tolerance{P: changeOfP, Measure: tolerance, Quality: tolerance}
	was, is := outcome(g.Before, before), outcome(g.After, after)
	if dualprocess.JudgeHacking(was, is, t).Suspected {
		c.record.Suspected = append(c.record.Suspected, fmt.Sprintf("P(answer) rose from %.2f to %.2f, but %s", was.P, is.P, what))
	}
}

// better turns a mean so that higher is better.
func (g Gauge) better(s Stat) float64 {
	if g.Less {
		return -float64(s.Mean)
	}
	return float64(s.Mean)
}

// mean prints a mean.
func (g Gauge) mean(s Stat) string {
	if g.Share {
		return percent(s)
	}
	return three(s.Mean)
}

// leaks lists, for the groups that should stay, how far their means moved.
func (c *Control) leaks() []string {
	var out []string
	for _, g := range c.record.Groups {
		if !g.Stays || g.After.Pictures == 0 {
			continue
		}
		moved := math.Abs(float64(g.After.Gauges[0].Mean - g.Before.Gauges[0].Mean))
		out = append(out, fmt.Sprintf("%s: %s moved by %.3f", g.Name, c.measure.Name, moved))
	}
	return slices.Clip(out)
}

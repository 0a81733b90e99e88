package show

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	xdraw "golang.org/x/image/draw"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/files"
	"github.com/dualprocess/dualprocess-go/overlay"
)

// sheet is a contact sheet: sections of pairs, before on the left and after on
// the right, both under the overlay that the verifier saw.
type sheet struct {
	title    string
	sections []section
}

type section struct {
	title string
	pairs []pair
}

type pair struct {
	before, after image.Image // either may be nil
	lines         [2]string
}

// Measures of a sheet in pixels.
const (
	pictureSide = 132 // at least; small pictures are enlarged by whole numbers
	pairGap     = 14
	innerGap    = 3
	margin      = 16
	textHeight  = 13
	titleHeight = 26
	pairsPerRow = 4
	pairsOfMain = 12 // pictured of the first group
	pairsOfRest = 4  // and of every other
)

// sheet lays out what a control found. A nil layer is no overlay.
func (c *Control) sheet(groups []Group, layer overlay.Layer) sheet {
	s := sheet{title: fmt.Sprintf("%s — %s — left: before, right: after", c.name, c.Task.Questions[0].Text)}
	limit := pairsOfMain
	for _, g := range groups {
		if pairs := c.pairs(g.Ratings, layer, limit); len(pairs) > 0 {
			s.sections = append(s.sections, section{g.Name, pairs})
		}
		limit = pairsOfRest
	}
	return s
}

// pairs matches pictures before and after and picks some, prompt by prompt.
func (c *Control) pairs(ratings []dualprocess.Rating, layer overlay.Layer, limit int) []pair {
	found := map[source][2]*dualprocess.Rating{}
	byPrompt, prompts, most := map[string][]source{}, []string{}, 0
	for k := range ratings {
		r := &ratings[k]
		at := source{r.Prompt, r.Seed}
		both, known := found[at]
		if !known {
			if byPrompt[r.Prompt] == nil {
				prompts = append(prompts, r.Prompt)
			}
			byPrompt[r.Prompt] = append(byPrompt[r.Prompt], at)
			most = max(most, len(byPrompt[r.Prompt]))
		}
		both[choose(r.Weight != 0, 1, 0)] = r
		found[at] = both
	}
	var out []pair
	for k := range most {
		for _, prompt := range prompts {
			if keys := byPrompt[prompt]; k < len(keys) && len(out) < limit {
				out = append(out, c.pair(found[keys[k]], k, layer))
			}
		}
	}
	return out
}

// pair makes one pair of the k-th seed.
func (c *Control) pair(both [2]*dualprocess.Rating, k int, layer overlay.Layer) pair {
	var p pair
	var seen [2]image.Image
	var before image.Image
	if both[0] != nil {
		before = both[0].Image
	}
	var chance, measured [2]string
	for i, r := range both {
		chance[i], measured[i] = "–", "–"
		if r == nil {
			continue
		}
		p.lines[0] = r.Prompt
		seen[i] = under(r.Image, layer)
		chance[i] = fmt.Sprintf("%.2f", r.P[0])
		if m := c.measure.measure(before, r.Image, r.Prompt); !math.IsNaN(m) {
			measured[i] = fmt.Sprintf("%.2f", m)
		}
	}
	p.before, p.after = seen[0], seen[1]
	p.lines[1] = fmt.Sprintf("seed %d  P %s → %s  %s %s → %s", k+1, chance[0], chance[1], c.measure.Name, measured[0], measured[1])
	return p
}

// under returns the picture as the verifier saw it.
func under(picture image.Image, layer overlay.Layer) image.Image {
	if layer == nil {
		return picture
	}
	seen, err := layer.Over(picture)
	if err != nil {
		return picture
	}
	return seen
}

// write draws the sheet into a PNG file.
func (s sheet) write(path string) error {
	picture, err := s.draw()
	if err != nil {
		return err
	}
	err = files.Write(path, func(w io.Writer) error { return png.Encode(w, picture) })
	if err != nil {
		return fmt.Errorf("show: contact sheet: %w", err)
	}
	return nil
}

func (s sheet) draw() (*image.NRGBA, error) {
	side := s.side()
	cell := image.Pt(2*side+innerGap+pairGap, side+2*textHeight+pairGap)
	height := 2*margin + titleHeight
	for _, section := range s.sections {
		height += titleHeight + cell.Y*((len(section.pairs)+pairsPerRow-1)/pairsPerRow)
	}
	out := image.NewNRGBA(image.Rect(0, 0, 2*margin+pairsPerRow*cell.X-pairGap, height))
	draw.Draw(out, out.Rect, image.White, image.Point{}, draw.Src)
	large, small, err := faces()
	if err != nil {
		return nil, err
	}
	y := margin
	write(out, large, s.title, margin, y+15, out.Rect.Dx()-2*margin)
	y += titleHeight
	for _, section := range s.sections {
		write(out, large, section.title, margin, y+17, out.Rect.Dx()-2*margin)
		y += titleHeight
		for k, p := range section.pairs {
			at := image.Pt(margin+k%pairsPerRow*cell.X, y+k/pairsPerRow*cell.Y)
			place(out, p.before, at, side)
			place(out, p.after, at.Add(image.Pt(side+innerGap, 0)), side)
			for line, text := range p.lines {
				write(out, small, text, at.X, at.Y+side+(line+1)*textHeight-2, 2*side+innerGap)
			}
		}
		y += cell.Y * ((len(section.pairs) + pairsPerRow - 1) / pairsPerRow)
	}
	return out, nil
}

// side is that of all pictures on the sheet.
func (s sheet) side() int {
	for _, section := range s.sections {
		for _, p := range section.pairs {
			for _, picture := range []image.Image{p.before, p.after} {
				if picture != nil {
					n := max(picture.Bounds().Dx(), 1)
					return n * max(1, (pictureSide+n-1)/n)
				}
			}
		}
	}
	return pictureSide
}

// place enlarges a picture without smoothing, so that pixels stay what they are.
func place(out *image.NRGBA, picture image.Image, at image.Point, side int) {
	frame := image.Rectangle{at, at.Add(image.Pt(side, side))}
	if picture == nil {
		draw.Draw(out, frame, image.NewUniform(color.Gray{230}), image.Point{}, draw.Src)
		return
	}
	xdraw.NearestNeighbor.Scale(out, frame, picture, picture.Bounds(), draw.Src, nil)
}

func faces() (large, small font.Face, err error) {
	parsed, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, nil, fmt.Errorf("show: font: %w", err)
	}
	if large, err = opentype.NewFace(parsed, &opentype.FaceOptions{Size: 14, DPI: 72, Hinting: font.HintingFull}); err == nil {
		small, err = opentype.NewFace(parsed, &opentype.FaceOptions{Size: 11, DPI: 72, Hinting: font.HintingFull})
	}
	if err != nil {
		return nil, nil, fmt.Errorf("show: font: %w", err)
	}
	return large, small, nil
}

// write draws one line of text, cut to a width in pixels.
func write(out *image.NRGBA, face font.Face, text string, x, y, width int) {
	letters := []rune(text)
	for len(letters) > 0 && font.MeasureString(face, string(letters)).Ceil() > width {
		letters = letters[:len(letters)-1]
	}
	d := font.Drawer{Dst: out, Src: image.NewUniform(color.Gray{40}), Face: face, Dot: fixed.P(x, y)}
	d.DrawString(string(letters))
}

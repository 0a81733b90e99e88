package pocket

import "github.com/dualprocess/dualprocess-go/internal/scenes"

// drawMark returns what lies over a picture when a question is asked, [64, 64,
// 4]: colour and cover, as overlay.Solid lays it.
func drawMark(m scenes.Mark) []float32 {
	out := make([]float32, pictureSize*pictureSize*4)
	picture := m.Draw(pictureSize)
	if picture == nil {
		return out
	}
	for i := range pictureSize * pictureSize {
		pixel := picture.Pix[4*i : 4*i+4]
		for c := range 3 {
			out[4*i+c] = float32(pixel[c]) / 255
		}
		if white := pixel[0] == 255 && pixel[1] == 255 && pixel[2] == 255; !white {
			out[4*i+3] = float32(pixel[3]) / 255
		}
	}
	return out
}

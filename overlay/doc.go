// Package overlay lays pictures over generated images before a verifier looks at
// them, and draws the pictures: the visual part of a question.
//
// A control such as "is the horizon on the red line?" shows the verifier the
// generated image with a line over it:
//
//	question.Overlay = overlay.Solid{Picture: overlay.HorizonLine{Row: 0.3}}
//
// [Solid] and [Transparent] do the laying over as differentiable graph operations,
// and [Stack] lays one over the other. What they lay is a [Picture]: a drawing of
// the makers [HorizonLine], [LineSample], [Palette], [Points] and [Composition],
// which is drawn at the size of the image, or an image of the user's own, which
// [Open] and [Decode] read from PNG, JPEG, GIF, WebP, BMP and TIFF files. An image is
// resized, and if it has other proportions, [Fit] says how; to distort it has to be
// asked for.
//
// # Units
//
// Makers take positions as fractions of the picture, x from the left and y from
// the top, and lengths in 64ths of its shorter side, so that one value gives the
// same drawing at every size: a length of 1 is one pixel of a 64x64 picture, and 64
// is the most. Draw takes pixels. Pictures of 16x16 and larger are meant to be looked at;
// smaller ones are drawn but nothing is promised about them.
//
// # Transparency
//
// Makers draw on transparent white with antialiased edges. Solid and Transparent
// honour the alpha of a picture, and Solid takes pure white, too, for nothing. A JPEG's
// paper is only nearly white: [Reader] has a tolerance for it.
// The paper's reference knows white alone and drops alpha; the field Paper does
// the same. White that must be seen in Solid, like the rings around points, is drawn
// a little darker than white.
//
// # Mistakes
//
// Validate says what is wrong with an overlay or a maker before anything is drawn or
// computed, and names the field; package dualprocess asks it first of all. Host
// functions return the same errors, and graph methods panic with them.
package overlay

// Package lifesize makes checkpoints of the sizes that are published, or of any other, with random weights: for what must
// be tried at real size where the real weights cannot be had. Nobody writes down what tensors a model has: an empty
// checkpoint is opened on a sketch, and the model's own error says what it lacks.
//
// Weights are normal, of a deviation that keeps activations of order one through dozens of layers; norms have gains of
// one and biases are zero. They come from a seed, so that two processes see the same checkpoint, and from a file system
// that makes them up while they are read, so that a model can be opened without a file of its size anywhere. Write puts
// them on a disk, for another program.
package lifesize

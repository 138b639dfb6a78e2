//! Integer products of packed weights with rounded activations.

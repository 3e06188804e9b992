//go:build !graceful_close_flags

package gracefulclose

// #cgo pkg-config: graceful_close
import "C"

//go:build !linux

package landlock

// ABI returns 0: there is no Landlock here.
func ABI() int { return 0 }

// Restrict returns ErrUnavailable.
func Restrict(Rules) error { return ErrUnavailable }

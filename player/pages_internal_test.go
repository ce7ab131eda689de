package player

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestALengthIsCutToSecondsAndNeverNone(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		200 * time.Millisecond: "0:01", 1900 * time.Millisecond: "0:01", 15_600 * time.Millisecond: "0:15",
		59_999 * time.Millisecond: "0:59", time.Hour: "1:00:00", 3723 * time.Second: "1:02:03",
	} {
		require.Equal(t, want, length(d), d)
	}
}

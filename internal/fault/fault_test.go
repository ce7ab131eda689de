package fault_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vitascope/vitascope/internal/fault"
)

func TestKindIsFoundThroughWrapping(t *testing.T) {
	t.Parallel()
	cause := errors.New("disk says no")
	err := fmt.Errorf("upload: %w", fault.Wrap(fault.TooLarge, cause, "upload-too-large", "At most %d bytes.", 10))
	require.Equal(t, fault.TooLarge, fault.KindOf(err))
	require.ErrorIs(t, err, cause)
	require.Equal(t, "upload: At most 10 bytes.: disk says no", err.Error())
	require.Equal(t, fault.Internal, fault.KindOf(cause))
}

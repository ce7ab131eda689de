package query

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestIntervalsAreThoseOfThePapers compares with the worked examples of Newcombe 1998:
// 56/70 against 48/80 and 9/10 against 3/10, method 10, 95 %.
func TestIntervalsAreThoseOfThePapers(t *testing.T) {
	t.Parallel()
	const z = 1.959964
	low, high := newcombe(48, 80, 56, 70, z)
	require.InDelta(t, 0.0524, low, 0.0001)
	require.InDelta(t, 0.3339, high, 0.0001)
	low, high = newcombe(3, 10, 9, 10, z)
	require.InDelta(t, 0.1705, low, 0.0001)
	require.InDelta(t, 0.8090, high, 0.0001)
	low, high = wilson(0, 10, z)
	require.InDelta(t, 0, low, 1e-9)
	require.InDelta(t, 0.2775, high, 0.0001)
}

// trial runs a test of two arms, looked at each 50 visitors until four times as many
// have come as were planned, and returns the first winner named.
func trial(r *rand.Rand, pA, pB float64) string {
	const planned = 500
	arms := []ArmStats{{Key: "a", Name: "A"}, {Key: "b", Name: "B"}}
	for arms[0].Visitors < 4*planned {
		for i, p := range []float64{pA, pB} {
			for range 50 {
				arms[i].Visitors++
				if r.Float64() < p {
					arms[i].Reached++
				}
			}
			arms[i].Rate = per(arms[i].Reached, arms[i].Visitors)
		}
		if _, winner, _ := judge(arms, planned, "plays"); winner != "" {
			return winner
		}
	}
	return ""
}

// TestLookingOftenNamesNoWinnerWhereThereIsNone peeks 40 times at 1,000 tests of two
// equal arms: at most 5 % may ever name a winner. A plain 95 % interval would in some 30 %.
func TestLookingOftenNamesNoWinnerWhereThereIsNone(t *testing.T) {
	t.Parallel()
	for _, p := range []float64{0.03, 0.3, 0.6} {
		r := rand.New(rand.NewPCG(1, 2))
		wrong := 0
		for range 1000 {
			if trial(r, p, p) != "" {
				wrong++
			}
		}
		require.LessOrEqual(t, wrong, 50, "rate %v", p)
	}
}

func TestABetterArmIsFound(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	found := 0
	for range 100 {
		if trial(r, 0.30, 0.42) == "b" {
			found++
		}
	}
	require.GreaterOrEqual(t, found, 90)
	worse := trial(r, 0.5, 0.3)
	require.Equal(t, "a", worse)
}

func TestVerdictsSayWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	stats := func(key string, reached, visitors uint64) ArmStats {
		return ArmStats{Key: key, Name: strings.ToUpper(key), Reached: reached, Visitors: visitors, Rate: per(reached, visitors)}
	}
	_, winner, sentence := judge([]ArmStats{stats("a", 0, 0), stats("b", 0, 0)}, 1000, "plays")
	require.Empty(t, winner)
	require.Contains(t, sentence, "too few")
	_, winner, _ = judge([]ArmStats{stats("a", 1, 20), stats("b", 19, 20)}, 1000, "plays")
	require.Empty(t, winner, "twenty visitors are luck")
	verdicts, winner, sentence := judge([]ArmStats{stats("a", 150, 500), stats("b", 155, 500)}, 1000, "plays")
	require.Empty(t, winner)
	require.Equal(t, "No winner yet: 500 of 1000 planned visitors.", sentence)
	require.Negative(t, verdicts[0].Low)
	require.Positive(t, verdicts[0].High)
	_, winner, sentence = judge([]ArmStats{stats("a", 300, 1000), stats("b", 305, 1000)}, 1000, "plays")
	require.Empty(t, winner)
	require.Contains(t, sentence, "too small to be seen")
	_, winner, _ = judge([]ArmStats{stats("a", 300, 1000), stats("b", 400, 1000), stats("c", 450, 1000)}, 1000, "plays")
	require.Equal(t, "c", winner)
}

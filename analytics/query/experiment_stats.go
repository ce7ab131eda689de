package query

import (
	"fmt"
	"math"
)

// alpha is how often a test may name a winner where there is none, over its whole life.
const alpha = 0.05

// fewest is how many visitors an arm must have before anything is said of it: below,
// the limits that the intervals rest on are far.
const fewest = 100

// boundary returns how many standard errors an interval must reach so that it holds at
// every look, not at one: the two-sided normal mixture boundary (Howard, Ramdas,
// McAuliffe, Sekhon 2021, "Time-uniform, nonparametric, nonasymptotic confidence
// sequences", proposition 5), narrowest when planned visitors have been seen. n are the
// visitors an arm has, error the chance of ever being wrong.
func boundary(n, planned, chance float64) float64 {
	// rho = planned / (-W(-chance^2 / e) - 1), W the lower branch of Lambert's function.
	x := math.Log(chance*chance) - 1
	w := x
	for range 50 {
		w = x - math.Log(-w)
	}
	rho := planned / (-w - 1)
	return math.Sqrt((1 + rho/n) * (math.Log((n+rho)/rho) - 2*math.Log(chance)))
}

// wilson returns Wilson's score interval of a share: hits of n, at z standard errors.
func wilson(hits, n uint64, z float64) (low, high float64) {
	if n == 0 {
		return 0, 1
	}
	size := float64(n)
	p := float64(hits) / size
	middle := p + z*z/(2*size)
	half := z * math.Sqrt(p*(1-p)/size+z*z/(4*size*size))
	scale := 1 + z*z/size
	return max(0, (middle-half)/scale), min(1, (middle+half)/scale)
}

// newcombe returns the interval of a difference of shares, b - a, made of the two score
// intervals (Newcombe 1998, "Interval estimation for the difference between independent
// proportions", method 10).
func newcombe(hitsA, a, hitsB, b uint64, z float64) (low, high float64) {
	lowA, highA := wilson(hitsA, a, z)
	lowB, highB := wilson(hitsB, b, z)
	pA, pB := per(hitsA, a), per(hitsB, b)
	d := pB - pA
	return d - math.Hypot(pB-lowB, highA-pA), d + math.Hypot(highB-pB, pA-lowA)
}

// looked is the interval of b - a that holds however often it is looked at.
func looked(hitsA, a, hitsB, b uint64, planned int, chance float64) (low, high float64) {
	if a == 0 || b == 0 {
		return -1, 1
	}
	n := 2 * float64(a) * float64(b) / float64(a+b)
	return newcombe(hitsA, a, hitsB, b, boundary(n, float64(planned), chance))
}

// Verdict compares an arm with the first one.
type Verdict struct {
	Key        string  `json:"key"`
	Difference float64 `json:"difference" doc:"Rate of the arm minus rate of arm a."`
	Low        float64 `json:"low" doc:"The difference is between low and high, with 95 % confidence, however often you look."`
	High       float64 `json:"high"`
	Sentence   string  `json:"sentence"`
}

// judge compares each arm with the first. It returns the key of the winner, empty while
// there is none, and what that means in words.
func judge(arms []ArmStats, planned int, goal string) (verdicts []Verdict, winner, sentence string) {
	if len(arms) < 2 {
		return nil, "", "There is nothing to compare."
	}
	a, best := arms[0], 0.0
	chance := alpha / float64(len(arms)-1) // Bonferroni: each comparison has its share
	worse := 0
	enough := a.Visitors >= fewest
	for _, arm := range arms[1:] {
		v := Verdict{Key: arm.Key, Difference: arm.Rate - a.Rate}
		v.Low, v.High = looked(a.Reached, a.Visitors, arm.Reached, arm.Visitors, planned, chance)
		switch {
		case a.Visitors < fewest || arm.Visitors < fewest:
			enough = false
			v.Sentence = fmt.Sprintf("Too few visitors to say anything: each arm needs %d at least.", fewest)
		case v.Low > 0:
			v.Sentence = fmt.Sprintf("%s is better than what there was, by %s to %s of the visitors.", arm.Name, points(v.Low), points(v.High))
			if v.Difference > best {
				best, winner = v.Difference, arm.Key
			}
		case v.High < 0:
			worse++
			v.Sentence = fmt.Sprintf("%s is worse than what there was, by %s to %s of the visitors.", arm.Name, points(-v.High), points(-v.Low))
		default:
			v.Sentence = fmt.Sprintf("No difference is shown: it may be anything from %s to %s.", signed(v.Low), signed(v.High))
		}
		verdicts = append(verdicts, v)
	}
	what := map[string]string{"plays": "play", "conversions": "act"}[goal]
	switch {
	case winner != "":
		sentence = fmt.Sprintf("There is a winner: more of its visitors %s. The interval excludes no difference, whenever you look.", what)
	case worse == len(arms)-1:
		winner, sentence = a.Key, "There is a winner: what there was is better than every variation."
	case !enough:
		sentence = "No winner yet: too few visitors. Figures this small swing; stopping when they look good picks winners by luck."
	case a.Visitors < uint64(planned):
		sentence = fmt.Sprintf("No winner yet: %d of %d planned visitors.", a.Visitors, planned)
	default:
		sentence = "No winner: the planned visitors have come, and the difference, if there is one, is too small to be seen. Keep whichever you like."
	}
	return verdicts, winner, sentence
}

func points(share float64) string { return fmt.Sprintf("%.1f %%", share*100) }
func signed(share float64) string { return fmt.Sprintf("%+.1f %%", share*100) }

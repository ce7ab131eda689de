package arriving

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Piece is an object with the bytes [From, To) of a file.
type Piece struct{ From, To int64 }

// Key names the piece's object; prefix is that of blob.UploadPrefix.
func (p Piece) Key(prefix string) string { return fmt.Sprintf("%s%015d-%015d", prefix, p.From, p.To) }

// ParsePiece reads the name, without its prefix, that Key gave an object of size
// bytes; other objects are not pieces.
func ParsePiece(name string, size int64) (Piece, bool) {
	a, b, ok := strings.Cut(name, "-")
	if !ok {
		return Piece{}, false
	}
	from, err1 := strconv.ParseInt(a, 10, 64)
	to, err2 := strconv.ParseInt(b, 10, 64)
	if err1 != nil || err2 != nil || from < 0 || to-from != size || size <= 0 {
		return Piece{}, false
	}
	return Piece{From: from, To: to}, true
}

// Reach returns the pieces that, one after the other, lead from offset as far as
// possible. Pieces may overlap: bytes of one file at one offset are the same. It
// sorts the pieces it is given.
func Reach(pieces []Piece, offset int64) []Piece {
	slices.SortFunc(pieces, func(a, b Piece) int { return cmp.Compare(a.From, b.From) })
	var chain []Piece
	for i := 0; i < len(pieces); {
		best := Piece{To: offset}
		for ; i < len(pieces) && pieces[i].From <= offset; i++ {
			if pieces[i].To > best.To {
				best = pieces[i]
			}
		}
		if best.To == offset {
			break
		}
		chain, offset = append(chain, best), best.To
	}
	return chain
}

// End is where a chain that Reach returned ends, offset when it is empty.
func End(chain []Piece, offset int64) int64 {
	if len(chain) == 0 {
		return offset
	}
	return chain[len(chain)-1].To
}

// apart returns pieces that hold bytes from offset on, in order and none within
// another. The pieces are sorted, as Reach leaves them.
func apart(pieces []Piece, offset int64) []Piece {
	var list []Piece
	for _, p := range pieces {
		if p.To > offset {
			list, offset = append(list, p), p.To
		}
	}
	return list
}

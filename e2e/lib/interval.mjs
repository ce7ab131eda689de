// The interval that reports of A/B tests promise, worked out anew from the papers:
// Newcombe 1998, method 10, at as many standard errors as the two-sided normal mixture
// boundary asks for (Howard et al. 2021, proposition 5). Its one constant is found here
// by bisection, where the product iterates Lambert's function.

/** Standard errors at n visitors for each, narrowest at planned. */
function reach(n, planned, chance) {
  // rho solves planned / rho = 1 + log((planned + rho) / rho) ... at its least width:
  // with x = planned / rho, x - log(1 + x) = -2 log(chance).
  let low = 0, high = 1e3;
  for (let i = 0; i < 200; i++) {
    const x = (low + high) / 2;
    if (x - Math.log(1 + x) < -2 * Math.log(chance)) low = x;
    else high = x;
  }
  const rho = planned / low;
  return Math.sqrt((1 + rho / n) * (Math.log(1 + n / rho) - 2 * Math.log(chance)));
}

/** The two ends of Wilson's interval: the shares p with |hits / n - p| = z sqrt(p (1 - p) / n). */
function score(hits, n, z) {
  const share = hits / n, a = 1 + z ** 2 / n, b = -(2 * share + z ** 2 / n), c = share ** 2;
  const root = Math.sqrt(Math.max(0, b ** 2 - 4 * a * c));
  return [Math.max(0, (-b - root) / (2 * a)), Math.min(1, (-b + root) / (2 * a))];
}

/** The interval of the difference of two shares, the second's minus the first's, that holds at every look. */
export function looked(hitsA, a, hitsB, b, planned, chance = 0.05) {
  const z = reach((2 * a * b) / (a + b), planned, chance);
  const [[lowA, highA], [lowB, highB]] = [score(hitsA, a, z), score(hitsB, b, z)];
  const [shareA, shareB] = [hitsA / a, hitsB / b];
  return {
    low: shareB - shareA - Math.hypot(shareB - lowB, highA - shareA),
    high: shareB - shareA + Math.hypot(highB - shareB, shareA - lowA),
  };
}

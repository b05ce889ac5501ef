"""How much each opinion weighs against the others: penalties add up, and the smallest sum is tried first.

From the heaviest to the lightest: what may not work at all, what the alias puts second, heat, the order of the mode,
waiting, size. Learned speed and energy weigh little by themselves and much for a job that asks for them.
"""

from __future__ import annotations

#: A limit that gave way because nothing else was left; how far beyond it comes on top.
RELAXED = 1000.0
#: It failed lately, the prompt may not fit, or nobody knows how hot it is where that matters.
DOUBTFUL = 200.0
#: Background work in a zone that is warm already, however small its backend.
BACKGROUND_WARM = 200.0
#: A later choice of the alias, for each place.
ALIAS_PLACE = 100.0
#: A zone at its critical point, for ordinary work; grows with the square from the warning point.
HEAT = 60.0
#: Background work, for each tier: it does not wake what is big.
BACKGROUND_TIER = 40.0
#: Hardware that others do this kind of work better than.
WORKLOAD = 25.0
#: Each place further down in the mode's order of hardware.
ORDER_PLACE = 10.0
#: All places are taken; each round of the line that is ahead comes on top.
FULL = 12.0
#: A loud fan.
NOISE = 4.0
#: A zone that has only just begun to be warm.
WARM = 3.0
#: For each tier: the smallest backend that can do the job is the coolest and cheapest.
TIER = 1.0
#: Some places are taken, as a share of them.
BUSY = 0.9
#: Learned energy and latency, each as a share of this for ordinary jobs.
LEARNED = 0.5
#: The same for a job that is latency-critical or power-efficient.
WISHED = 50.0
#: The model is not among those that the backend should get first.
NOT_PREFERRED = 0.25

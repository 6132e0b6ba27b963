"""The clinical core: from dated facts to a grade and to advice.

Pure: standard library only, no clock, no I/O. Read it beside the guideline, in this order: `timeline` (what is known),
`scale` (the numbers of ASTCT grading), `eligibility`, `fever`, `hypotension`, `hypoxia`, `episode`, `grading`
(the grade), then `protocol` (the hospital's numbers), `dosing`, `course` and `advice` (what to consider).
"""

"""Says at the last moment that it can't."""


def supports(problem, device, options):
    return "needs a blue moon"


def build(problem, device, options):
    raise AssertionError("not reached")

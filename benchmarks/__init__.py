"""How fast this runtime is, measured side by side with bare Thespian.

Run ``python -m benchmarks.run`` from the checkout's root; ``docs/performance.rst`` tells
what is measured and why.
"""

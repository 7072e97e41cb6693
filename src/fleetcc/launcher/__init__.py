"""The launcher in Python, for machines without a C compiler; native/launcher is the model.

What one does the other must do: tests/e2e/test_launcher.py holds both to the same table. It starts far
slower than the one in C, and nothing else imports it.
"""

"""What runs in or beside a simulator, with nothing but cocotb and numpy.

Every output directory holds a copy of this package as ``cosim``; so its files import only each
other, relatively, and nothing else of cimc.
"""

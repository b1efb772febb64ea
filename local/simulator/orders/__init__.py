"""Which orders are placed, and how does the payment service learn of them?"""

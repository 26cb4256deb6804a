import { Test } from '@nestjs/testing';
import { GevContext } from 'nestjs-gev';
import { AppController, type Session } from './app.controller';

describe('AppController', () => {
  it('J2: sums', async () => {
    const module = await Test.createTestingModule({
      controllers: [AppController],
      providers: [{ provide: 'SELF', useValue: {} }],
    }).compile();
    const data: Session = { calls: 0 };
    const context = { getConnection: () => ({ data }) } as unknown as GevContext<Session>;
    expect(module.get(AppController).sum([1, 2, 3], context)).toBe(6);
    expect(data.calls).toBe(1);
  });
});

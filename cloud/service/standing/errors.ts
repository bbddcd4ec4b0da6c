/** Why a query cannot stand, or stands no more. The codes are in README.md. */
import { ApiError } from '#protocol/api';

export function tooManyRows(most: number): ApiError {
  return refusal(
    'STANDING_ROWS',
    `more than ${most} rows: a standing query holds at most so many; narrow it by WHERE, or by LIMIT`,
  );
}

export function tooManyBytes(most: number): ApiError {
  return refusal(
    'STANDING_BYTES',
    `its rows hold more than ${most} bytes: select fewer columns, or fewer rows`,
  );
}

export function tooManyReaders(most: number): ApiError {
  return busy('STANDING_READERS', `${most} standing queries have readers: end one, or try again`);
}

export function tooManyHeld(most: number): ApiError {
  return busy(
    'STANDING_HELD',
    `all standing queries together hold more than ${most} rows: narrow this one, or try again`,
  );
}

export function takenOver(): ApiError {
  return new ApiError('Conflict', 'another reader goes on from this cursor', {
    causes: [{ field: 'cursor', reason: 'STANDING_TAKEN', message: 'one cursor has one reader' }],
  });
}

function refusal(reason: string, message: string): ApiError {
  return new ApiError('BadRequest', message, { causes: [{ field: 'query', reason, message }] });
}

function busy(reason: string, message: string): ApiError {
  const causes = [{ field: 'query', reason, message }];
  return new ApiError('TooManyRequests', message, { causes, retryAfterSeconds: 10 });
}
